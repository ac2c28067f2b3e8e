"""What the papers show is run, or they say why not."""
