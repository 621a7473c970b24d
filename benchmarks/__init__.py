"""Measurements beside the peers; each prints ratios and asserts nothing about time."""
