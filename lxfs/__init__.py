"""lxfs."""
