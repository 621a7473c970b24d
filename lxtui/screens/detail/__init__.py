"""One instance, or one host, on a screen of its own: a page for each question."""
