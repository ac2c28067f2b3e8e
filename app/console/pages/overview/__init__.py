"""What state the system is in."""
