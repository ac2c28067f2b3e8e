"""Players' wallets, and the ledger that their balances are the sums of."""
