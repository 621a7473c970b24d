"""Moving an instance from one host to another."""

MARK = "user.lxtui.move"
"""Configuration key that holds the token of a move while it runs. On the source it keeps a second
lxtui away; on the target it says what is ours to remove when the move is undone."""
