"""Instances exported into files of this machine, and imported from them."""
