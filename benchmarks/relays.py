"""Twenty hosts at distances of their own, of the daemons of a lab.

Role: relays on the loopback, each of which lets the bytes of one remote wait for as long as its
distance says, both ways; and the configuration of the command lines that names them. The daemons,
their certificates and their answers are real. Boundary: sockets and files of a temporary directory.
Threading: the relays have a thread of their own.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from urllib.parse import urlsplit

import yaml

_PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Distant:
    """A remote of ours, and the daemon that it is."""

    name: str
    url: str
    """The daemon's own."""
    kind: str
    pin: Path
    """The daemon's certificate."""
    delay: float
    """Seconds one way."""


class Relays:
    """One listening socket for each of them, until it is closed."""

    def __init__(self, hosts: list[Distant]) -> None:
        self._hosts = hosts
        self.ports: dict[str, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()
        self._ready = Flag()
        self._thread = Thread(
            target=lambda: asyncio.run(self._listen()), name="relays", daemon=True
        )
        self._thread.start()
        self._ready.wait(10)

    def close(self) -> None:
        """Listen no longer, and let go of what is connected."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(5)

    async def _listen(self) -> None:
        self._loop = asyncio.get_running_loop()
        for host in self._hosts:
            server = await asyncio.start_server(_relay(host), "127.0.0.1", 0)
            self.ports[host.name] = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()


def _relay(
    host: Distant,
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The kernel has answered for us: a connection, too, takes there and back.
        await asyncio.sleep(2 * host.delay)
        where = urlsplit(host.url)
        there = await asyncio.open_connection(where.hostname, where.port)
        ways = _delayed(reader, there[1], host.delay), _delayed(there[0], writer, host.delay)
        with suppress(asyncio.CancelledError):  # it is over
            await asyncio.gather(*ways)

    return relay


async def _delayed(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float
) -> None:
    """Let every piece arrive so much later, however many are on the way."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def take() -> None:
        piece = b" "
        while piece:
            piece = b""
            with suppress(OSError):
                piece = await reader.read(_PIECE)
            waiting.put_nowait((loop.time() + delay, piece))

    taking = asyncio.create_task(take())
    with suppress(OSError):
        while True:
            due, piece = await waiting.get()
            await asyncio.sleep(max(due - loop.time(), 0))
            if not piece:
                break
            writer.write(piece)
            await writer.drain()
    writer.close()
    taking.cancel()


def configure(
    folder: Path, client: Path, hosts: list[Distant], ports: Mapping[str, int]
) -> dict[str, str]:
    """Write LXD_CONF and INCUS_CONF of these hosts into *folder*; the variables that name them.

    *client* holds the certificate that the daemons trust.
    """
    environment = {}
    for kind, variable in (("lxd", "LXD_CONF"), ("incus", "INCUS_CONF")):
        conf = folder / kind
        (conf / "servercerts").mkdir(parents=True)
        for name in ("client.crt", "client.key"):
            shutil.copy2(client / name, conf / name)
        mine = [host for host in hosts if host.kind == kind]
        for host in mine:
            shutil.copyfile(host.pin, conf / "servercerts" / f"{host.name}.crt")
        remotes = {
            host.name: {
                "addr": f"https://127.0.0.1:{ports[host.name]}",
                "auth_type": "tls",
                "project": "default",
                "protocol": kind,
                "public": False,
            }
            for host in mine
        }
        written = {"default-remote": mine[0].name if mine else "local", "remotes": remotes}
        (conf / "config.yml").write_text(yaml.safe_dump(written))
        environment[variable] = str(conf)
    return environment
