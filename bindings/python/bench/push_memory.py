"""How much memory `process_push` takes, over a process that only imported the package. Linux only.

    HUSHPOST_STAGE_BIN=… python push_memory.py [MESSAGES]

HUSHPOST_RELEASE_LIB names a library for release to measure in place of the installed one.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from library import environment, table

MESSAGES = 50

CHILD = """
import asyncio, datetime, json, sys
from hushpost import Config, DatabaseKey, process_push

def status(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))

given = json.loads(sys.argv[1])
# A running event loop and what is loaded with the first call are Python's own, and there without a push as well.
asyncio.run(asyncio.sleep(0))
seen = {"imported": status("VmRSS"), "imported, peak": status("VmHWM"), "messages": 0}
if given["push"]:
    config = Config(
        database=given["database"],
        key=DatabaseKey.from_bytes(bytes.fromhex(given["key"])),
        relay=given["relay"],
        relay_name=given["relay_name"],
        many_processes=True,
    )
    pushed = asyncio.run(process_push(config, datetime.timedelta(seconds=20)))
    seen["messages"] = len(pushed.messages)
    seen["end"] = pushed.end.name
seen["after"] = status("VmRSS")
seen["peak"] = status("VmHWM")
print(json.dumps(seen))
"""


def measure(env: dict[str, str], **given: object) -> dict[str, int]:
    """What a process of its own says of itself."""
    said = subprocess.check_output([sys.executable, "-c", CHILD, json.dumps(given)], text=True, env=env)
    seen: dict[str, int] = json.loads(said)
    return seen


async def main(messages: int) -> None:
    """Prints the figures."""
    from people import friends
    from stage import Stage

    from hushpost import MessageState

    with tempfile.TemporaryDirectory() as temporary, Stage() as stage:
        folder = Path(temporary)
        env = environment(folder)
        alice, bob, hers, _ = await friends(stage, folder)
        await bob.client.shut_down()
        for number in range(messages):
            last = await hers.send_text(f"message {number}, " + "with some more words " * 10)
        await alice.until_state(last, MessageState.SENT)
        idle = measure(env, push=False)
        pushed = measure(
            env,
            push=True,
            database=bob.config.database,
            key=bob.config.key.bytes().hex(),
            relay=stage.relay,
            relay_name=stage.relay_name,
        )
        await alice.client.shut_down()
    rows = [
        ("imported only, peak", f"{idle['peak']:,} KiB"),
        ("before process_push", f"{pushed['imported']:,} KiB"),
        ("after process_push", f"{pushed['after']:,} KiB"),
        ("peak during process_push", f"{pushed['peak']:,} KiB"),
        ("process_push takes", f"{pushed['peak'] - idle['peak']:,} KiB"),
    ]
    table(f"Memory of process_push, {pushed['messages']} messages ({pushed['end']})", rows)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES))
