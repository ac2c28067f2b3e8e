"""What a process takes: a slice under a claim, as far as limits allow, and its items."""
