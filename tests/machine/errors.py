"""What the machine raises. Boundary: none. Threading: values only."""


class MachineError(Exception):
    """The machine could not do what was asked."""


class MachineUnavailable(MachineError):  # noqa: N818  # a state of this computer, not a mistake
    """There can be no machine here; the message says why and what would help."""
