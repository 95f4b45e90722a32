"""Copy a living neuronal network's synaptic map, paste it into memory, run it, compare it."""
