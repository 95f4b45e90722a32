"""Samples in pieces: read, thinned, searched for peaks, kept, by threads, processes or a cluster."""
