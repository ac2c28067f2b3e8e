"""What the dialects share: credentials, bodies, references, words for a state, errors."""
