"""Copying from membrane potentials."""
