"""What happened, told once it has committed, to whoever listens or waits."""
