"""Shells and consoles of instances in a real terminal."""
