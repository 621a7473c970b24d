"""Commands that are one request to one daemon, as frozen values."""
