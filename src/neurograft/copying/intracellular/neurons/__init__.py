"""Who fires when in which channel, how well it couples, and what is wrong with it."""
