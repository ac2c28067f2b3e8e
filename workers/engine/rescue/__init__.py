"""What the sweep does: repairs whatever a crash or a lost message left behind."""
