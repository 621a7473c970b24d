"""Readers of kernel files: the host's and a cgroup's, each under an injectable root."""
