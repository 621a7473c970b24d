"""The served files as pure functions: the host's bytes and a few numbers in, bytes out."""
