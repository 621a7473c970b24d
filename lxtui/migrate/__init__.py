"""Moving an instance from one host to another."""
