"""A recording that grows: the regression's sums are kept up with it, so that a map is ready soon after its end."""
