"""Files of instances: looked at, pulled here, pushed there."""
