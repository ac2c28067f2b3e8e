"""Submitting by a form: items are checked first, and then taken."""
