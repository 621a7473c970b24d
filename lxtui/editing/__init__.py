"""Editing what a daemon keeps, so that no change of somebody else is overwritten."""
