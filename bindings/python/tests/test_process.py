"""How a program ends, and what happens to one that forks: each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from stage import LIMIT

BEGINNING = """
import asyncio, multiprocessing, os, sys, threading
import hushpost
from hushpost import Client, Config, DatabaseKey, LogLevel, LogSink

folder = sys.argv[1]

def config():
    return Config(database=f"{folder}/me.db", key=DatabaseKey.generate(), relay="ws://127.0.0.1:9")
"""


def program(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    made = subprocess.run(
        [
            sys.executable,
            "-W",
            "error::RuntimeWarning",
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            BEGINNING + text,
            str(folder),
        ],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert made.returncode == 0, (made.returncode, made.stderr)
    assert made.stderr == ""
    return made


ENDS = {
    "after a call": """
async def main():
    client = await Client.open(config())
    for _ in range(100):
        await client.account_id()
asyncio.run(main())
""",
    "with a client that was never shut down": """
async def main():
    global client
    client = await Client.open(config())
    client.connect()
    async for state in client.connection_states():
        if state.is_WAITING():
            break
asyncio.run(main())
""",
    "while an event loop runs in another thread": """
begun = threading.Event()
async def busy(client):
    while True:
        await client.account_id()
        begun.set()
async def main():
    client = await Client.open(config())
    await asyncio.gather(*(busy(client) for _ in range(20)))
threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
begun.wait()
""",
    "with tasks that nobody waits for": """
loop = asyncio.new_event_loop()
async def main():
    global client, events
    client = await Client.open(config())
    client.connect()
    events = client.events()
    for _ in range(20):
        asyncio.ensure_future(client.account_id())
loop.run_until_complete(main())
import logging
logging.disable()
""",
    "while log lines are told": """
told = threading.Event()
class Sink(LogSink):
    def log(self, line):
        told.set()
hushpost.set_log_sink(Sink(), LogLevel.TRACE)
async def main():
    client = await Client.open(config())
    client.connect()
    await asyncio.to_thread(told.wait)
    for _ in range(100):
        await client.account_id()
asyncio.run(main())
""",
}


@pytest.mark.parametrize("end", ENDS)
def test_a_program_ends_quietly(end: str, tmp_path: Path) -> None:
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        program(ENDS[end], folder)


def test_a_child_of_one_that_used_it_is_refused(tmp_path: Path) -> None:
    program(
        """
async def main():
    global client
    client = await Client.open(config())
asyncio.run(main())
child = os.fork()
if child == 0:
    try:
        asyncio.run(client.account_id())
    except RuntimeError as error:
        assert "fork" in str(error)
        try:
            client.connection_state()
        except RuntimeError:
            sys.exit(17)
    sys.exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17
asyncio.run(client.shut_down())
""",
        tmp_path,
    )


def test_a_child_of_one_that_only_imported_it_works(tmp_path: Path) -> None:
    program(
        """
async def main():
    async with Client.session(config()) as client:
        assert await client.account_id() is None
child = os.fork()
asyncio.run(main()) if child == 0 else os.waitpid(child, 0)
""",
        tmp_path,
    )
