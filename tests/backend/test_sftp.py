"""The SFTP client against a server of a few lines, and against one that is broken."""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
from collections.abc import Callable

import pytest

from lxtui.backend.sftp import Files
from lxtui.errors import HostUnreachableError, OperationError
from lxtui.model import FileEntry

BIG = bytes(range(256)) * 1000
CONTENT = {b"/a": b"hello", b"/big": BIG, b"/none": b""}
Answer = Callable[[int, bytes], tuple[int, bytes]]


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _strings(body: bytes) -> tuple[bytes, bytes]:
    length = struct.unpack_from(">I", body)[0]
    return body[4 : 4 + length], body[4 + length :]


class Server:
    """Serves CONTENT, one request after the other; gives less than it is asked for."""

    def __init__(self) -> None:
        self.listed = False
        self.dated: dict[bytes, int] = {}

    def __call__(self, kind: int, body: bytes) -> tuple[int, bytes]:
        """The answer's type and what follows its number."""
        name, rest = _strings(body)
        match kind:
            case 11:
                return 102, _string(name)
            case 12:
                if self.listed:
                    return 101, struct.pack(">I", 1) + _string(b"EOF") + _string(b"")
                self.listed = True
                attributes = struct.pack(">IQIIIII", 15, 5, 7, 8, 0o100644, 1, 99)
                names = [b".", b"..", b"a/b", b"a"]
                entries = b"".join(_string(one) + _string(b"long") + attributes for one in names)
                return 104, struct.pack(">I", len(names)) + entries
            case 3 if name in CONTENT:
                return 102, _string(name)
            case 5:
                offset, length = struct.unpack(">QI", rest)
                data = CONTENT[name][offset : offset + min(length, 20_000)]
                return (103, _string(data)) if data else (101, struct.pack(">I", 1))
            case 9:
                self.dated[name] = struct.unpack(">III", rest)[2]
                return 101, struct.pack(">I", 0)
            case 19:
                return 104, struct.pack(">I", 1) + _string(b"to/") + _string(b"") + bytes(4)
            case 4:
                return 101, struct.pack(">I", 0)
        return 101, struct.pack(">I", 2) + _string(b"no such file") + _string(b"")


def _files(answer: Answer) -> tuple[Files, socket.socket]:
    ours, theirs = socket.socketpair()

    def exactly(length: int) -> bytes:
        data = b""
        while len(data) < length:
            more = theirs.recv(length - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def serve() -> None:
        with theirs:
            try:
                while True:
                    packet = exactly(struct.unpack(">I", exactly(4))[0])
                    if packet[0] == 1:
                        theirs.sendall(_string(b"\x02" + struct.pack(">I", 3)))
                        continue
                    kind, body = answer(packet[0], packet[5:])
                    theirs.sendall(_string(bytes([kind]) + packet[1:5] + body))
            except (EOFError, OSError):
                return

    threading.Thread(target=serve, daemon=True).start()
    ours.settimeout(5)
    return Files("h", ours), ours


def test_a_folder_is_listed_without_names_that_are_no_names() -> None:
    """Type, owner, size and time of each entry; `.`, `..` and a name with a slash are left out."""
    files, stream = _files(Server())
    with stream:
        assert files.entries(b"/") == [FileEntry(b"a", 0o100644, 7, 8, 5, 99)]


def test_files_are_summed_whatever_the_server_gives_at_once() -> None:
    """Empty, small and big files have their SHA-256, though answers are shorter than asked."""
    files, stream = _files(Server())
    with stream:
        sums = files.digests([(path, len(content)) for path, content in CONTENT.items()])
    assert sums == [hashlib.sha256(content).digest() for content in CONTENT.values()]


def test_heads_of_files_of_unknown_size() -> None:
    """The beginning of each, in order; empty for what is not there, the others are read."""
    files, stream = _files(Server())
    with stream:
        found = files.heads([b"/a", b"/gone", b"/big", b"/none", b"/a"], 10)
    assert found == [b"hello", b"", BIG[:10], b"", b"hello"]


def test_links_are_read_and_times_are_set() -> None:
    """A link's target comes as it is; a time arrives at the file that was named."""
    server = Server()
    files, stream = _files(server)
    with stream:
        assert files.links([b"/l"]) == [b"to/"]
        files.set_times([b"/a", b"/big"], 1)
    assert server.dated == {b"/a": 1, b"/big": 1}


def test_a_refusal_names_the_path() -> None:
    """What the server says against a file stands in the error, its path escaped."""
    files, stream = _files(Server())
    with stream, pytest.raises(OperationError, match=r"/\\x1bx: no such file"):
        files.digests([(b"/\x1bx", 5)])


@pytest.mark.parametrize("answer", [(102, b"\xff\xff\xff\xff"), (104, b"\0\0\0\x09"), (101, b"")])
def test_a_malformed_answer_is_an_error(answer: tuple[int, bytes]) -> None:
    """Lengths beyond the packet and missing numbers end the work with an error."""
    files, stream = _files(lambda *_: answer)
    with stream, pytest.raises(OperationError):
        files.links([b"/l"])


def test_a_server_that_leaves_is_an_error() -> None:
    """When the connection ends in the middle, the host counts as unreachable."""
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(HostUnreachableError):
        Files("h", ours)


def test_a_silent_server_is_waited_for_once() -> None:
    """What would be tidied up after an answer that did not come is not even asked for."""
    ours, theirs = socket.socketpair()
    theirs.sendall(_string(b"\x02" + struct.pack(">I", 3)))
    with ours, theirs:
        files = Files("h", ours)
        ours.settimeout(0.05)
        with pytest.raises(HostUnreachableError):
            files.look(b"/a")
        ours.settimeout(None)  # a second wait would never end
        theirs.settimeout(5)
        theirs.recv(1000)
        with pytest.raises(HostUnreachableError), files.opened(b"/a"):
            pass
        with pytest.raises(HostUnreachableError):
            files.create(b"/b", [b"x"], 0o600, 0, 0)
        ours.close()
        assert theirs.recv(1000) == b""


class Folder:
    """A server of one file of many pieces, which it gives in its own portions."""

    def __init__(self, portion: int) -> None:
        self.portion = portion

    def __call__(self, kind: int, body: bytes) -> tuple[int, bytes]:
        """As Server."""
        _, rest = _strings(body)
        match kind:
            case 3:
                return 102, _string(b"h")
            case 8:
                return 105, struct.pack(">IQI", 5, len(BIG), 0o100644)
            case 5:
                offset, length = struct.unpack(">QI", rest)
                data = BIG[offset : offset + min(length, self.portion)]
                return (103, _string(data)) if data else (101, struct.pack(">I", 1))
        return 101, struct.pack(">I", 0)


@pytest.mark.parametrize("portion", [32 * 1024, 20_000, 4096, 32 * 1024 - 1])
def test_a_file_is_streamed_in_its_order(portion: int) -> None:
    """Whatever the server gives at once, every byte comes once; the size is the file's own."""
    files, stream = _files(Folder(portion))
    with stream, files.opened(b"/f") as (entry, pieces):
        assert (entry.size, entry.mode) == (len(BIG), 0o100644)
        assert b"".join(pieces) == BIG
