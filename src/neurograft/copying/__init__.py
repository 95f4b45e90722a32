"""Copying: recordings become synaptic maps whose error rate holds."""
