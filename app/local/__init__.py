"""Everything on one machine: `batchline serve`, and the servers that it brings along."""
