"""Who may submit and read: clients, their credentials, and their idempotency keys."""
