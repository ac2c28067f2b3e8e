"""A shop's operations for Batchline: an example of a package with tests and tables of its own."""
