"""A command that is one request: what it says of itself.

Role: the base of the commands in this package; perform.py sends their request and waits for the
operation, so that a new one needs no line there. Boundary: pure. Threading: values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from lxtui.api import Request
from lxtui.model import Kind, Ref


class Call(ABC):
    """One request to the daemon of ``ref.host``."""

    __slots__ = ()

    ref: Ref
    """What it is about; for what is not an instance, its host, project and name."""

    @property
    @abstractmethod
    def title(self) -> str:
        """A line for the operations pane."""

    @property
    def trouble(self) -> str:
        """Why it must not be sent, where the daemon would take what does harm."""
        return ""

    @abstractmethod
    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""

    @property
    @abstractmethod
    def request(self) -> Request:
        """What is sent."""


class Work(ABC):
    """What is more than one request; carrying.py carries it out."""

    __slots__ = ()
    changes: ClassVar[bool] = True
    """Whether it changes something of the host."""

    ref: Ref
    """The instance that it is about."""

    @property
    @abstractmethod
    def title(self) -> str:
        """A line for the operations pane."""

    @abstractmethod
    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
