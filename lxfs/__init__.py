"""lxfs: /proc and /sys as the calling container should see them, served through FUSE."""
