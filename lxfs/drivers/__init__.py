"""Ways to put the tree into the kernel; all that knows FUSE is below here."""
