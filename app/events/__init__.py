"""What happened, reported once it has committed, to the process's listener and to watchers."""
