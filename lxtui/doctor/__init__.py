"""What ``lxtui doctor`` looks at."""
