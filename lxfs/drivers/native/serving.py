"""The threads that read requests from the device and answer them.

Role: one worker reads at a time, as the interpreter runs one at a time: several that take turns in
waking up for one reader's requests take longer than answering. While the one that reads is held up
by a request, another takes its place; so a request that never ends keeps only its caller waiting.
What a predecessor left is answered first, each request by a thread of its own.
Boundary: the device, the slots in shared memory, and answers by opcode; nothing about files.
Threading: worker threads and one that watches them.
"""

import errno
import logging
import os
import threading
from collections.abc import Callable

from lxfs.drivers.complaints import Complaints
from lxfs.drivers.native import protocol
from lxfs.drivers.native.answers import Answers
from lxfs.drivers.native.lookout import Lookout
from lxfs.drivers.native.memory import BEAT, Memory, Slot

_log = logging.getLogger(__name__)

MAX_STRIKES = 50
"""A request with more of them is answered EIO; the spawner counts them."""

_SHORTEST, _LONGEST = 0.01, 0.5
"""Seconds between two looks at the worker that reads: while it is busy, and while nobody asks."""
_OVER = (errno.ENODEV, errno.ECONNABORTED, errno.ENOTCONN)


class _Worker:
    """One thread, its slot, and what wakes it up when it is to read."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.wake = threading.Event()
        slot.make_present()


class Workers:
    """Those who answer, on one device, until it is unmounted.

    ``ready`` is called when requests are answered; ``end`` with the error that ended it.
    """

    def __init__(
        self,
        device: int,
        memory: Memory,
        answers: Answers,
        ready: Callable[[], None],
        end: Callable[[OSError], None],
    ) -> None:
        self._device = device
        self._memory = memory
        self._answers = answers
        self._ready = ready
        self._end = end
        self._complaints = Complaints()
        self._unused = list(memory.slots())[::-1]
        self._idle: list[_Worker] = []
        self._reader: _Worker | None = None
        self._over = threading.Event()

    def start(self) -> None:
        """Answer what was left, and all that comes; return at once."""
        left = [slot for slot in self._unused if slot.unique[0] and not self._resent(slot)]
        self._unused = [slot for slot in self._unused if slot not in left]
        self._answers.handles.adopt({slot.unique[0] for slot in left})
        for slot in left:
            self._start(self._again, _Worker(slot))
        self._replace()
        self._start(self._watch)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()

    def _resent(self, slot: Slot) -> bool:
        """Send a reply that a predecessor had made, once more; return whether there was one."""
        unique = slot.unique[0]
        if slot.answered != unique:
            return False
        length = protocol.OUT.unpack_from(slot.reply)[0]
        try:
            os.write(self._device, slot.reply[:length])
        except OSError as error:
            _log.debug("the reply to %#x was sent already: %s", unique, error)
        slot.unique[0] = 0
        return True

    def _again(self, worker: _Worker) -> None:
        if worker.slot.strikes > MAX_STRIKES:
            opcode, unique = protocol.IN.unpack_from(worker.slot.request)[1:3]
            _log.error("given up: server after server has died over it (opcode %d)", opcode)
            self._send(worker.slot, unique, opcode, errno.EIO, b"")
        else:
            node = protocol.IN.unpack_from(worker.slot.request)[3]
            if (path := worker.slot.path) is not None:
                self._answers.nodes.recall(node, path)
            self._answer(worker.slot)
        self._work(worker)

    def _work(self, worker: _Worker) -> None:
        """Read and answer for as long as it is this worker's turn."""
        slot, device, answer = worker.slot, self._device, self._answer
        into, unique = [slot.request], slot.unique
        look, opcode = Lookout(device).look, slot.request[4:8].cast("I")
        while True:
            unique[0] = 0
            if self._reader is not worker:
                self._idle.append(worker)
                worker.wake.wait()
                worker.wake.clear()
            slot.strikes = 0
            look(opcode[0])
            try:
                os.readv(device, into)
            except OSError as error:
                if error.errno in _OVER:
                    self._over.set()
                    self._end(error)
                    return
                if error.errno not in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
                    raise  # ENOENT: a request was taken back while it was being read
                continue
            answer(slot)

    def _answer(self, slot: Slot) -> None:
        length, opcode, unique, node, uid, _gid, pid, _, _ = protocol.IN.unpack_from(slot.request)
        number = 0
        payload: bytes | memoryview = b""
        try:
            answer = self._answers.by_opcode.get(opcode)
            if answer is None:
                number = errno.ENOSYS
            else:
                if (path := self._answers.nodes.own_path(node)) is not None:
                    slot.put_path(unique, path)
                payload = answer(slot.request, length, node, pid, uid, unique)
        except OSError as error:
            number = error.errno or errno.EIO
            if number == errno.EIO and self._complaints.due(str(error)):
                _log.warning("opcode %d: %s", opcode, error)
        except Exception as error:  # noqa: BLE001 - one request's mistake is not the mount's end
            number = errno.EIO
            if self._complaints.due(repr(error)):
                _log.exception("opcode %d on node %#x failed", opcode, node)
        if opcode in protocol.WITHOUT_REPLY:
            return
        self._send(slot, unique, opcode, number, payload)

    def _send(
        self, slot: Slot, unique: int, opcode: int, number: int, payload: bytes | memoryview
    ) -> None:
        reply = slot.reply
        length = protocol.OUT.size + len(payload)
        if payload:
            reply[protocol.OUT.size : length] = payload
        protocol.OUT.pack_into(reply, 0, length, -number, unique)
        slot.answered = unique  # from here on this is the reply, whoever sends it
        try:
            os.write(self._device, reply[:length])
        except OSError as error:
            # ENOENT: who asked has been told by a predecessor, or is gone.
            if error.errno not in (errno.ENOENT, *_OVER):
                _log.error("the reply to opcode %d was refused: %s", opcode, error)
            if opcode == protocol.OPEN and not number:
                self._answers.undo_open(reply[protocol.OUT.size :])
            return
        if opcode == protocol.INIT and not number:
            self._ready()

    def _replace(self) -> None:
        """Let another worker read; if all there may be are busy, nobody does."""
        if self._idle:
            worker = self._idle.pop()
            self._reader = worker
            worker.wake.set()
        elif self._unused:
            worker = _Worker(self._unused.pop())
            self._reader = worker
            self._start(self._work, worker)

    def _watch(self) -> None:
        """Look now and then whether the worker that reads is still at the same request.

        And let the spawner see that this process runs.
        """
        pause, seen, answered = _SHORTEST, 0, 0
        while not self._over.wait(pause):
            self._memory.words[BEAT] += 1
            worker = self._reader
            if worker is None:
                continue
            unique = worker.slot.unique[0]
            if unique and unique == seen:
                self._replace()
            active = bool(unique) or worker.slot.answered != answered
            pause = _SHORTEST if active else min(2 * pause, _LONGEST)
            seen, answered = unique, worker.slot.answered
