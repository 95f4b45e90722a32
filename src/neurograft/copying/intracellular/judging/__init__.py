"""Which coefficients are synapses, which are something else, and how sure that is."""
