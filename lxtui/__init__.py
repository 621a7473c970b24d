"""lxtui: one screen, and one command line, over many LXD and Incus hosts."""

__version__ = "0.1.0"
