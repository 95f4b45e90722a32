"""What each called synapse and each membrane is like: course, single potentials, plasticity, vesicles, noise."""
