"""Categories, which stand under other categories."""
