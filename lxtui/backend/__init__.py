"""Hosts: one protocol, and the servers behind it."""
