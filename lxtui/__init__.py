"""lxtui."""
