"""lxfs: /proc and /sys as the calling container should see them, served through FUSE."""

__version__ = "0.1.0"
