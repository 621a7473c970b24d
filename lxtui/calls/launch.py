"""Making an instance of an image.

Role: the request for it; perform.py has it carried out by launching/carrying.py, as an image's
secret comes before and the start after. Boundary: pure. Threading: values.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lxtui.api import Request
from lxtui.calls.base import Call
from lxtui.launching.spec import HostImage, LaunchSpec
from lxtui.model import Kind, Ref
from lxtui.names import instance_name_trouble


@dataclass(frozen=True, slots=True)
class Launch(Call):
    """Make an instance, and start it if that is wished."""

    spec: LaunchSpec
    kind: Kind
    secret: str = field(default="", repr=False)
    """Of a private image of another host."""

    @property
    def ref(self) -> Ref:  # type: ignore[override]  # read-only, as in a frozen value
        """The instance that is not there yet."""
        return self.spec.ref

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        verb = "launch" if self.spec.start else "create"
        return f"{verb} {self.ref} from {self.spec.image.word(self.ref.host)}"

    @property
    def trouble(self) -> str:
        """A name that cannot be; the rest the daemon says better."""
        return instance_name_trouble(self.ref.name, self.kind)

    @property
    def lends(self) -> Ref | None:
        """The private image of another host, which has to give a secret for it."""
        image = self.spec.image
        return image.ref if isinstance(image, HostImage) and not image.public else None

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        return self.spec.command(kind)

    @property
    def request(self) -> Request:
        """What is sent."""
        parameters = {"project": self.ref.project}
        if self.spec.member:
            parameters["target"] = self.spec.member
        body = self.spec.body(self.kind, self.secret)
        return Request("post", ("instances",), parameters, body)


@dataclass(frozen=True, slots=True)
class LendImage(Call):
    """Have a host give a secret with which another host may fetch a private image once."""

    ref: Ref
    """``name`` is the fingerprint."""

    @property
    def title(self) -> str:
        """A line for the operations pane."""
        return f"lend image {self.ref}"

    def equivalent(self, kind: Kind) -> str:  # noqa: ARG002 see the base
        """The command lines do it by themselves."""
        return ""

    @property
    def request(self) -> Request:
        """What is sent."""
        return Request("post", ("images", self.ref.name, "secret"), {"project": self.ref.project})
