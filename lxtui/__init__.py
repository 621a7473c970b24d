"""lxtui: one screen, and one command line, over many LXD and Incus hosts."""

from importlib.metadata import version

__version__ = version("lxtui")
