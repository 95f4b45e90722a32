"""One regression of all traces on all spikes."""
