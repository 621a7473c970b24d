"""Tables of what is not an instance, as pure functions."""
