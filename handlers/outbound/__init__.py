"""Speaking HTTP to systems outside: where a request may go, and how long it may take."""
