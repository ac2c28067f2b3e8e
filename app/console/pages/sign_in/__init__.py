"""Who comes without a session signs in here, and out again."""
