"""The operations that come with Batchline, a file a subject."""
