"""How long it takes to start, and how many calls a second go over the bridge.

    HUSHPOST_STAGE_BIN=… python figures.py

HUSHPOST_RELEASE_LIB names a library for release to measure in place of the installed one.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from library import environment, table

STARTS = 10
SECONDS = 2.0

START = """
import time
begun = time.perf_counter()
import asyncio, sys
python = time.perf_counter()
from hushpost import Client, Config, DatabaseKey
imported = time.perf_counter()
async def main():
    key = DatabaseKey.from_bytes(bytes(32))
    client = await Client.open(Config(database=sys.argv[1], key=key, relay="ws://localhost:4810"))
    opened = time.perf_counter()
    await client.shut_down()
    return opened
opened = asyncio.run(main())
print((imported - python) * 1000, (opened - imported) * 1000)
"""


def starts(folder: Path, env: dict[str, str]) -> list[tuple[str, str]]:
    """What a fresh process needs: the first one makes the database, the others find it."""
    seen = []
    for _ in range(STARTS + 1):
        command = [sys.executable, "-c", START, str(folder / "start.db")]
        seen.append([float(part) for part in subprocess.check_output(command, text=True, env=env).split()])
    imports, opens = zip(*seen[1:])
    return [
        ("import hushpost", f"{statistics.median(imports):.0f} ms"),
        ("make a database", f"{seen[0][1]:.0f} ms"),
        ("open a database", f"{statistics.median(opens):.0f} ms"),
    ]


async def per_second(call: Callable[[], Coroutine[Any, Any, object]], at_once: int = 1) -> str:
    """How often a call ends in a second, so many of them at a time."""
    done, begun = 0, time.perf_counter()
    while (took := time.perf_counter() - begun) < SECONDS:
        await asyncio.gather(*(call() for _ in range(at_once)))
        done += at_once
    return f"{done / took:,.0f} / s"


def per_second_sync(call: Callable[[], object]) -> str:
    """As `per_second`, for a call that does not wait."""
    done, begun = 0, time.perf_counter()
    while (took := time.perf_counter() - begun) < SECONDS:
        for _ in range(100):
            call()
        done += 100
    return f"{done / took:,.0f} / s"


async def calls(folder: Path) -> list[tuple[str, str]]:
    """Calls of a client that is registered and offline."""
    from people import Person
    from stage import Stage

    with Stage() as stage:
        alice = await Person(stage, folder, "alice").open()
        conversation = await alice.client.conversation_with(stage.rust_user)
        await conversation.send_text("hello")
        await alice.until_text(conversation, "echo: hello")
        await alice.client.disconnect()
        rows = [
            ("connection_state()", per_second_sync(alice.client.connection_state)),
            ("conversation.id()", per_second_sync(conversation.id)),
            ("await account_id()", await per_second(alice.client.account_id)),
            ("await messages_before(None, 1)", await per_second(lambda: conversation.messages_before(None, 1))),
            ("the same, 32 at once", await per_second(lambda: conversation.messages_before(None, 1), 32)),
            ("await set_draft(…)", await per_second(lambda: conversation.set_draft("what was typed"))),
            ("await send_text(…), offline", await per_second(lambda: conversation.send_text("hello"))),
        ]
        await alice.client.shut_down()
    return rows


def main() -> None:
    """Prints the figures; called with `--calls` it is the process that is measured."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if sys.argv[1:] == ["--calls"]:
            print(json.dumps(asyncio.run(calls(folder))))
            return
        env = environment(folder)
        table(f"Start (median of {STARTS})", starts(folder, env))
        measured = subprocess.check_output([sys.executable, __file__, "--calls"], text=True, env=env)
        table("Calls over the bridge, one after the other", json.loads(measured))


if __name__ == "__main__":
    main()
