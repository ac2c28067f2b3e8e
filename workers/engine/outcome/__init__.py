"""What became of items: judged, and written under the fence."""
