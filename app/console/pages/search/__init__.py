"""What the palette finds, while one types."""
