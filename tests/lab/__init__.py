"""Real LXD and Incus daemons on one machine, for the tests and for `make run`."""
