"""Where a spawner begins: with a word to the holder if it cannot.

Role: whatever the new code lacks or has wrong is one line to who asked for it, not a traceback.
Boundary: imports next to nothing itself.
Threading: none.
"""

import os
import sys


def main() -> int:
    """Import the spawner and be it."""
    report = int(sys.argv[5])
    try:
        from lxfs.drivers.native import spawner  # noqa: PLC0415 - it may fail

        return spawner.main(sys.argv[1:])
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the reason
        said = str(error) if type(error).__name__ == "UserError" else repr(error)
        os.write(report, f"failed {said}\n".encode())
        return 1


if __name__ == "__main__":
    sys.exit(main())
