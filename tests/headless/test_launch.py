"""Launching: the request, the command line, what is wrong with a wish, the verb."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Event as Flag
from typing import Any

import pytest

from lxtui.backend.demo import DemoBackend
from lxtui.backend.demo_data import demo_fleet
from lxtui.calls.launch import Launch
from lxtui.cli import main
from lxtui.errors import NotFoundError, OperationError, ReadOnlyError
from lxtui.launching.carrying import launch
from lxtui.launching.options import (
    Choice,
    Options,
    choices,
    completed,
    find,
    names_of,
    networks_of,
    profiles_of,
    troubles,
    user_data_trouble,
)
from lxtui.launching.servers import BUILT_IN, Server, servers
from lxtui.launching.spec import HostImage, LaunchSpec, LocalImage, ServerImage
from lxtui.model import Kind, Operation, Ref, StateAction
from lxtui.names import instance_name_trouble, random_name
from lxtui.perform import perform

REF = Ref("oslo", "default", "fresh")
ROOT = {"type": "disk", "path": "/", "pool": "default"}
LOCAL = LocalImage("a" * 64, "debian/12")
OPTIONS = Options(
    "oslo",
    "default",
    Kind.LXD,
    profiles={
        "default": {"root": ROOT},
        "own": {"disk0": ROOT, "net0": {"type": "nic"}},
        "bare": {},
    },
    pools=("default", "fast"),
    networks={"br0": {"managed": True}, "eno1": {"managed": False, "type": "physical"}},
    projects=("default",),
    instances=frozenset({"web1"}),
)
SECRET = "hunter2-in-the-user-data"


def _spec(**wishes: Any) -> LaunchSpec:
    return completed(replace(LaunchSpec(REF, LOCAL), **wishes), OPTIONS)


def test_what_is_not_said_is_left_to_the_profiles() -> None:
    """The smallest request, and the smallest command line."""
    spec = _spec()
    assert Launch(spec, Kind.LXD).request.body == {
        "name": "fresh",
        "type": "container",
        "profiles": ["default"],
        "config": {},
        "devices": {},
        "source": {"type": "image", "fingerprint": "a" * 64},
    }
    assert spec.command(Kind.LXD) == "lxc launch oslo:debian/12 oslo:fresh"
    quiet = replace(spec, start=False)
    assert quiet.command(Kind.LXD).startswith("lxc init ")
    assert quiet.command(Kind.INCUS).startswith("incus create ")


def test_wishes_become_devices_and_keys() -> None:
    """A device of a profile is taken over whole and changed, under the profile's name for it."""
    spec = _spec(
        profiles=("default", "own"),
        pool="fast",
        size="10GiB",
        network="br0",
        cpu="2",
        memory="1GiB",
        config={"user.note": "two words"},
        member="m1",
        vm=True,
    )
    request = Launch(spec, Kind.INCUS).request
    assert request.parameters == {"project": "default", "target": "m1"}
    assert request.body["type"] == "virtual-machine"
    assert request.body["devices"] == {
        "disk0": {**ROOT, "pool": "fast", "size": "10GiB"},
        "net0": {"type": "nic", "name": "net0", "network": "br0"},
    }
    assert request.body["config"] == {
        "user.note": "two words",
        "limits.cpu": "2",
        "limits.memory": "1GiB",
    }
    assert spec.command(Kind.INCUS) == (
        "incus launch oslo:debian/12 oslo:fresh -p default -p own -d disk0,pool=fast "
        "-d disk0,size=10GiB -n br0 -c 'user.note=two words' -c limits.cpu=2 "
        "-c limits.memory=1GiB --target m1 --vm"
    )
    assert _spec(network="eno1").devices["eth0"] == {
        "type": "nic",
        "name": "eth0",
        "nictype": "macvlan",
        "parent": "eno1",
    }


def test_sources() -> None:
    """A server's image by its alias; another host's by fingerprint, certificate and secret."""
    server = ServerImage("images", "https://images.example", "debian/12")
    assert Launch(_spec(image=server), Kind.LXD).request.body["source"] == {
        "type": "image",
        "mode": "pull",
        "server": "https://images.example",
        "protocol": "simplestreams",
        "alias": "debian/12",
    }
    assert _spec(image=server).command(Kind.LXD) == "lxc launch images:debian/12 oslo:fresh"
    theirs = HostImage(
        "kyoto", "p", "b" * 64, "", addresses=("k:8443", "l:8443"), certificate="PEM"
    )
    command = Launch(_spec(image=theirs), Kind.LXD, "s3cret")
    assert command.request.body["source"] == {
        "type": "image",
        "mode": "pull",
        "server": "https://k:8443",
        "protocol": "lxd",
        "certificate": "PEM",
        "fingerprint": "b" * 64,
        "secret": "s3cret",
    }
    assert command.lends == Ref("kyoto", "p", "b" * 64)
    said = (
        f"{command!r} {command.title} {command.equivalent(Kind.LXD)} {command.spec.shown(Kind.LXD)}"
    )
    assert "s3cret" not in said
    assert "kyoto:bbbbbbbbbbbb" in command.title
    assert Launch(_spec(image=replace(theirs, public=True)), Kind.LXD).lends is None


def test_user_data_is_sent_and_never_said() -> None:
    """Not in a title, a command line, a request for people, a repr."""
    spec = _spec(user_data=f"#cloud-config\npassword: {SECRET}\n", user_data_name="my data.yaml")
    command = Launch(spec, Kind.LXD)
    assert SECRET in command.request.body["config"]["cloud-init.user-data"]
    said = f"{command!r} {command.title} {command.equivalent(Kind.LXD)} {spec.shown(Kind.LXD)}"
    assert SECRET not in said
    assert "cloud-init.user-data=\"$(cat 'my data.yaml')\"" in command.equivalent(Kind.LXD)


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ({"ref": REF._replace(name="9lives")}, "name"),
        ({"ref": REF._replace(name="web1")}, "name"),
        ({"ref": REF._replace(project="nowhere")}, "project"),
        ({"profiles": ("default", "gone")}, "profiles"),
        ({"profiles": ("bare",)}, "pool"),
        ({"profiles": ()}, "pool"),
        ({"pool": "gone"}, "pool"),
        ({"network": "gone"}, "network"),
        ({"size": "big"}, "size"),
        ({"cpu": "0"}, "cpu"),
        ({"memory": "much"}, "memory"),
        ({"member": "m1"}, "member"),
        ({"config": {"cloud-init.user-data": "x"}}, "config"),
        ({"config": {"a b": "x"}}, "config"),
        ({"user_data": "echo hello"}, "cloud-init"),
        ({"vm": True}, "image"),
        ({"image": HostImage("kyoto", "default", "b" * 64)}, "image"),
    ],
)
def test_what_is_wrong_is_said_of_its_field(wishes: Any, field: str) -> None:
    """And of no other one."""
    assert list(troubles(_spec(**wishes), OPTIONS)) == [field]


def test_nothing_is_wrong() -> None:
    """With what there is, and where it cannot be seen what there is."""
    every = {"pool": "fast", "network": "br0", "size": "10GiB", "cpu": "0-3", "memory": "50%"}
    assert troubles(_spec(**every), OPTIONS) == {}
    assert troubles(_spec(profiles=("bare",), pool="fast"), OPTIONS) == {}
    unseen = Options("oslo", "default", Kind.LXD)
    assert troubles(completed(LaunchSpec(REF, LOCAL, pool="any"), unseen), unseen) == {}


def test_cloud_init_data() -> None:
    """Scripts, MIME, YAML; of broken YAML the line and no word."""
    for well in (
        "#!/bin/sh\necho",
        "#cloud-config\nruncmd: [a]",
        "#cloud-config",
        "MIME-Version: 1",
    ):
        assert user_data_trouble(well) == ""
    broken = user_data_trouble(f"#cloud-config\npassword: [{SECRET}")
    assert "line" in broken
    assert SECRET not in broken
    assert "mapping" in user_data_trouble("#cloud-config\n- a")


def test_images_are_found_by_alias_and_by_fingerprint() -> None:
    """One that is meant by several is not guessed."""
    images = (
        Choice("oslo", "default", "ab" * 32, ("debian/12", "stable")),
        Choice("oslo", "default", "ac" * 32),
    )
    assert find(images, "stable") is images[0]
    assert find(images, "ACAC") is images[1]
    for wrong, said in (("a", "several"), ("gone", "it has: debian/12, acacacacacac"), ("", "no")):
        with pytest.raises(NotFoundError, match=said):
            find(images, wrong)


@pytest.mark.parametrize(
    "odd", [None, 3, "x", [None, 3, {}], {"a": 1}, [{"name": 3, "fingerprint": 3}]]
)
def test_odd_answers_are_not_known(odd: Any) -> None:
    """Whatever the daemon answers where a list of documents is due."""
    assert choices("oslo", "default", odd) == ()
    for reader in (profiles_of, networks_of, names_of):
        assert isinstance(reader(odd), dict | tuple)


def test_names_from_addresses() -> None:
    """As daemons answer without recursion."""
    assert names_of(["/1.0/instances/b%20c?project=p", "/1.0/instances/a"]) == ("a", "b c")


def test_random_names() -> None:
    """Valid, free, and still found when all are taken."""
    first = random_name((), Random(1))  # noqa: S311 a test's
    assert instance_name_trouble(first) == ""
    every: set[str] = set()
    for _ in range(300):
        name = random_name(every)
        assert name not in every
        assert instance_name_trouble(name) == ""
        every.add(name)


def test_image_servers(tmp_path: Path) -> None:
    """The built-in ones, and those of the configuration before them."""
    environ = {"LXD_CONF": str(tmp_path / "lxd"), "INCUS_CONF": str(tmp_path / "incus")}
    assert set(servers(environ, tmp_path, tmp_path)) == set(BUILT_IN)
    (tmp_path / "lxd").mkdir()
    (tmp_path / "lxd/config.yml").write_text(
        "remotes:\n"
        "  images: {addr: 'https://mirror.example/', protocol: simplestreams, public: true}\n"
        "  plain: {addr: 'http://mirror.example', protocol: simplestreams}\n"
        "  host: {addr: 'https://h:8443', protocol: lxd}\n  odd: 3\n"
    )
    found = servers(environ, tmp_path, tmp_path)
    assert Server(Kind.LXD, "images", "https://mirror.example") in found
    assert len(found) == len(BUILT_IN)
    (tmp_path / "lxd/config.yml").write_text("remotes: [")
    assert set(servers(environ, tmp_path, tmp_path)) == set(BUILT_IN)


@pytest.fixture(autouse=True)
def fleet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """One demo fleet that stays from verb to verb; a user without hosts."""
    for name in ("LXD_CONF", "INCUS_CONF", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    made = demo_fleet(tempo=0.0)
    monkeypatch.setattr("lxtui.backend.demo_data.demo_fleet", lambda: made)
    return made


def test_the_verb_launches(fleet: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With all wishes, from another host's image; an object for programs."""
    (tmp_path / "init.yaml").write_text(f"#cloud-config\npassword: {SECRET}\n")
    words = ["launch", "oslo:debian/13", "kyoto:fresh", "-p", "default", "--config", "user.a=b"]
    words += ["--cpu", "1", "--cloud-init", str(tmp_path / "init.yaml")]
    assert main(["--demo", *words, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("POST /1.0/instances?project=default on kyoto\n")
    assert "(asked for when it begins)" in shown
    assert SECRET not in shown
    backend: DemoBackend = fleet.backend("kyoto")
    ref = Ref("kyoto", "default", "fresh")
    with pytest.raises(NotFoundError):
        backend.instance(ref)
    assert main(["--demo", *words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["command"], said["instance"], said["result"]) == ("launch", "kyoto:fresh", "done")
    now = backend.instance(ref)
    assert now.running
    assert now.config["user.a"] == "b"
    assert SECRET in now.config["cloud-init.user-data"]


def test_the_verb_finds_a_name_and_need_not_start(
    fleet: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The name is in the answer."""
    assert main(["--demo", "launch", "debian/12", "oslo:", "--no-start", "--json"]) == 0
    name = json.loads(capsys.readouterr().out)["instance"].partition(":")[2]
    assert fleet.backend("oslo").instance(Ref("oslo", "default", name)).stopped


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["debian/99", "oslo:x"], 1, "it has: "),
        (["nowhere:debian/12", "oslo:x"], 1, "neither a host nor an image server"),
        (["", "oslo:x"], 2, "an image is required"),
        (["debian/12", "oslo"], 2, "HOST:"),
        (["debian/12", "oslo:9x"], 2, "begins with a letter"),
        (["debian/12", "oslo:web1"], 1, "web1 exists already"),
        (["debian/12", "oslo:x", "--config", "novalue"], 2, "KEY=VALUE"),
        (["debian/12", "oslo:x", "--pool", "gone", "--cpu", "x"], 1, "no pool 'gone'; cpu: "),
        (["debian/12", "oslo:x", "--cloud-init", "/nonexistent"], 1, "No such file"),
        (["debian/12", "oslo:x", "--read-only"], 1, "read-only"),
    ],
)
def test_what_the_verb_refuses(
    words: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str], fleet: Any
) -> None:
    """With what to do next; nothing is made."""
    before = len(fleet.backend("oslo").instances())
    assert main(["--demo", "launch", *words]) == status
    assert said in capsys.readouterr().err
    assert len(fleet.backend("oslo").instances()) == before


class _NeverStarts:
    """A backend on which nothing starts."""

    def __init__(self, backend: DemoBackend) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def change_state(self, ref: Ref, action: StateAction) -> Operation:
        raise OperationError(f"oslo: cannot {action} {ref.name}")


def test_what_does_not_start_stays_and_is_told(fleet: Any) -> None:
    """With the command that removes it."""
    backend = fleet.backend("oslo")
    image = next(iter(choices("oslo", "default", backend.read(("images",)).value)))
    command = Launch(_spec(image=LocalImage(image.fingerprint)), Kind.LXD)
    backends: Any = {"oslo": _NeverStarts(backend)}
    with pytest.raises(OperationError, match=r"did not start: .*'lxc delete oslo:fresh'"):
        perform(command, backends, lambda _: None, Flag())
    assert backend.instance(REF).stopped


def test_a_private_image_is_not_lent_by_a_read_only_host(fleet: Any) -> None:
    """A secret is something new on the host that gives it."""
    backends = {one.remote.name: one for one in fleet.backends()}
    backends["kyoto"].read_only = True
    image = HostImage("kyoto", "default", "b" * 64, addresses=("k:8443",))
    with pytest.raises(ReadOnlyError, match="kyoto"):
        perform(Launch(_spec(image=image), Kind.LXD), backends, lambda _: None, Flag())


def test_a_secret_is_not_in_what_the_host_says() -> None:
    """Daemons repeat what they were asked."""
    asked: list[Any] = []

    class Lender:
        def request(self, request: Any) -> Operation:
            asked.append(request)
            return Operation("1", "kyoto", metadata={"secret": "s3cret"})

    class Refuser:
        def instance(self, ref: Ref) -> None:
            raise NotFoundError(str(ref))

        def request(self, request: Any) -> Operation:
            raise OperationError(f"bad source {request.body['source']}")

    image = HostImage("kyoto", "default", "b" * 64, addresses=("k:8443",))
    backends: Any = {"kyoto": Lender(), "oslo": Refuser()}
    with pytest.raises(OperationError, match="hidden") as caught:
        launch(Launch(_spec(image=image), Kind.LXD), backends, lambda *_: None)
    assert "s3cret" not in str(caught.value)
    assert asked[0].path == ("images", "b" * 64, "secret")
