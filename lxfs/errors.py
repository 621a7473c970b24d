"""Failures that the user can do something about.

Role: one line on stderr and an exit status; ``cli`` prints, everybody else raises.
Boundary: imports nothing.
Threading: none.
"""


class UserError(Exception):
    """A failure with the line that tells the user what to do, and the exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


class UsageError(UserError):
    """A command line that cannot be meant: exit status 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=2)
