"""Moving an instance from one host to another."""

MARK = "user.lxtui.move"
"""Configuration key that holds the token of a move while it runs. On the source it keeps a second
lxtui away; on the target it says what is ours to remove when the move is undone."""

MOVED = "user.lxtui.moved-to"
"""Configuration key of a source that was kept: where its copy has taken over."""

MOVED_PROJECT = "user.lxtui.moved-to-project"
"""Configuration key of a source that was kept: the project of its copy, where it is not default."""

KEPT_UNTIL = "user.lxtui.kept-until"
"""Configuration key of a source that was kept for a time: when that is over, by lxtui's clock."""

KEPT_STATE = "user.lxtui.kept-state"
"""Configuration key of a source that was kept: a sum over how it was when the move ended."""

INCOMING = "user.lxtui.incoming"
"""Configuration key of a copy that is to take the name of its original: both bear the MARK in one
project, and this tells which of the two is the copy, whatever they are called."""

COPY_OF = "user.lxtui.copy-of"
"""Configuration key of a copy that lxtui has made: of which instance."""

COPIED_AT = "user.lxtui.copied-at"
"""Configuration key of a copy that is complete: when it was begun, by the source's clock."""

AUTOSTART = "boot.autostart"
"""Sleeps (is ``false``) on both ends while a move runs, so that no restarted daemon doubles it."""
