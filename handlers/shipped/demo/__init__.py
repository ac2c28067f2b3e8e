"""For trying things out."""
