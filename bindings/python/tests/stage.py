"""The stage that the tests play on: a relay, and a user of the Rust crate. See `bindings/SCENARIO.md`."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from types import TracebackType

LIMIT = 60
"""Seconds after which something hangs."""


class Stage:
    """A running stage: a context manager."""

    def __init__(self) -> None:
        program = os.environ.get("HUSHPOST_STAGE_BIN")
        if not program:
            raise RuntimeError("set HUSHPOST_STAGE_BIN to the stage program, or use bindings/python/run-tests")
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        _, self.relay, self.relay_name = self._line().split()
        _, self.rust_user = self._line().split()
        assert self._line() == "ready"

    def command(self, command: str) -> None:
        """Has it done: `kill`, `start`, `wipe` or `renew`."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        answer = self._line()
        assert answer == "done", f"{command}: {answer}"

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(LIMIT)
        finally:
            self._process.kill()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.strip())
        self._lines.put("the stage ended")

    def _line(self) -> str:
        return self._lines.get(timeout=LIMIT)
