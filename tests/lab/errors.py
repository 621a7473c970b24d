"""What the lab raises. Boundary: none. Threading: values only."""


class LabError(Exception):
    """The lab could not do what was asked."""


class LabUnavailable(LabError):  # noqa: N818  # it is a state of the machine, not a mistake
    """This machine cannot hold the lab; the message says why and what would help."""


class ApiError(LabError):
    """A daemon refused a request, or an operation failed."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{message} ({status})")
        self.status = status
