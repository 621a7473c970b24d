"""Inside the machine: runs the commands that come in over the virtio port, one after the other.

Role: one JSON object per line in (argv, cwd, env, stdin, timeout), one out (status, stdout,
stderr). Boundary: imports nothing of ours. Threading: one.
"""

import json
import os
import subprocess
import sys
from typing import Any


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run one command to its end; status 124 when its time is up, 127 when there is none."""
    try:
        done = subprocess.run(
            request["argv"],
            cwd=request["cwd"],
            env={**os.environ, **request["env"]},
            input=request["stdin"].encode(),
            capture_output=True,
            timeout=request["timeout"],
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        status, out, err = 124, error.stdout or b"", (error.stderr or b"") + b"\ntime is up\n"
    except OSError as error:
        status, out, err = 127, b"", f"{error}\n".encode()
    else:
        status, out, err = done.returncode, done.stdout, done.stderr
    return {
        "status": status,
        "stdout": out.decode(errors="replace"),
        "stderr": err.decode(errors="replace"),
    }


def main(port: str) -> None:
    """Say that we are there, then serve until the machine ends."""
    with open(port, "r+b", buffering=0) as line:  # noqa: PTH123 - unbuffered both ways
        line.write(b'{"ready": true}\n')
        pending = b""
        while True:
            pending += line.read(65536) or b""
            while b"\n" in pending:
                text, pending = pending.split(b"\n", 1)
                reply = memoryview(json.dumps(answer(json.loads(text))).encode() + b"\n")
                while reply:
                    reply = reply[line.write(reply) :]


if __name__ == "__main__":
    main(sys.argv[1])
