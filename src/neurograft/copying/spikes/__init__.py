"""Copying from spikes alone."""
