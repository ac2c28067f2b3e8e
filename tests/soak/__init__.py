"""An hour at full load, and what grows in it: `make soak`."""
