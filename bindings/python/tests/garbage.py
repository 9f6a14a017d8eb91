"""Calls everything that the library exports with garbage: a program of its own, as it may end by a signal.

    python garbage.py SEED CALLS SECONDS FOLDER RELAY RELAY_NAME

Prints what went wrong, one finding a line, and at last how much was called. Before each call its name is written to
FOLDER/last.
"""

from __future__ import annotations

import asyncio
import collections
import enum
import inspect
import os
import random
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from garbage_values import Garbage, places

import hushpost
from hushpost import Client, Config, DatabaseKey, HushpostError, MessageState, NewGroup, Registration
from hushpost._native import hushpost as native

# What Python itself says of a value that the bridge cannot carry, before the library is called.
BEFORE = (TypeError, ValueError, OverflowError, AttributeError)
CARRYING = {"check_lower", "lower", "write", "_pack_into", "upload", "save"}
# Rust's own log sinks, of which the library hands none out.
NEVER = {"LogSinkImpl.log"}
WAITS = {"next", "finished", "process_push", "link_preview", "register", "find_by_user_name", "set_user_name"}
HANGS = 30.0
ENDS = {"shut_down", "delete_account", "disconnect"}
REFRESH = 1500


class Called:
    """A function, constructor or method."""

    def __init__(self, name: str, function: Callable[..., Any], of: type | None) -> None:
        self.name = name
        self.function = function
        self.of = of


def everything() -> list[Called]:
    """All that is exported, found by looking."""
    found = []
    for name in native.__all__:
        value = getattr(native, name)
        if inspect.isfunction(value):
            found.append(Called(name, value, None))
        elif hasattr(value, "_uniffi_make_instance"):
            for member, raw in vars(value).items():
                if not member.startswith("_") and callable(getattr(value, member)):
                    of = None if isinstance(raw, classmethod) else value
                    found.append(Called(f"{name}.{member}", getattr(value, member), of))
    return found


class Fuzz:
    def __init__(self, seed: int, folder: Path, relay: str, relay_name: str) -> None:
        self.rng = random.Random(seed)
        self.folder = folder
        self.relay, self.relay_name = relay, relay_name
        self.last = (folder / "last").open("w")
        # Relative paths, and ones that lead up a few folders, stay within.
        below = folder / "a" / "b" / "c" / "d" / "e"
        below.mkdir(parents=True)
        os.chdir(below)
        place = folder / "places"
        place.mkdir()
        self.garbage = Garbage(self.rng, *places(place))
        self.findings: set[str] = set()
        self.outcomes: collections.Counter[str] = collections.Counter()
        self.count: collections.Counter[str] = collections.Counter()
        self.clients: list[Client] = []
        self.worlds = 0

    async def world(self) -> None:
        """Somebody new who is connected, with everything that they could have; what was before them is shut down."""
        for client in self.clients:
            await client.shut_down()
        self.garbage.age()
        self.worlds += 1
        people = []
        for name in ("alice", "bob"):
            key = DatabaseKey.generate()
            database = self.folder / f"{name}{self.worlds}.db"
            made = Config(database=database, key=key, relay=self.relay, relay_name=self.relay_name, pre_key_stock=2)
            client = await Client.open(made)
            await client.register(Registration.OPEN())
            client.connect()
            people.append(client)
        self.clients = people
        alice, bob = people
        account = await bob.account_id()
        assert account is not None
        conversation = await alice.conversation_with(account)
        async with alice.events() as events:
            message = await conversation.send_text("hello there, this can be found")
            async for _ in events:
                told = await alice.message(message)
                if told is not None and isinstance(told.state, MessageState.SENT):
                    break
        number = await alice.contacts().safety_number(account)
        group = await alice.create_group(NewGroup(name="group", members=[account]))
        file = self.folder / "attached"
        file.write_bytes(bytes(5000))
        upload = alice.media().upload(file)
        attachment = await upload.finished()
        await conversation.send_attachments([attachment])
        page = await conversation.messages_before(None, 10)
        keep = [alice, bob, number, conversation, group, upload, attachment.file, alice.media(), alice.contacts()]
        keep += [alice.media().download(attachment.file), await group.make_invite(None, False), DatabaseKey.generate()]
        keep += [conversation.id(), group.id(), account, upload.cancel_handle(), upload.progress_stream()]
        keep += [alice.event_stream(), alice.connection_state_stream(), alice.conversation_list_stream(False)]
        for shown in page.messages:
            keep += [shown.cursor, shown.id.id, shown.id.sender]
        for each in keep:
            self.garbage.keep(each)

    async def call(self, called: Called) -> None:
        if called.of is None:
            function = called.function
        else:
            pool = self.garbage.objects.get(called.of, [])
            if not pool:
                self.outcomes["no object"] += 1
                return
            function = getattr(self.rng.choice(pool), called.name.split(".")[1])
        arguments = self.garbage.arguments(called.function, output=called.name == "Media.save")
        shown = f"{called.name}({', '.join(f'{name}={_short(value)}' for name, value in arguments.items())})"
        self.last.seek(0)
        self.last.truncate()
        self.last.write(shown.encode("utf-8", "replace").decode())
        self.last.flush()
        self.count[called.name] += 1
        waits = called.name.split(".")[-1] in WAITS
        begun = time.monotonic()
        try:
            answer = function(**arguments)
            if inspect.isawaitable(answer):
                answer = await asyncio.wait_for(answer, 0.2 if waits else HANGS)
            self.garbage.keep(answer)
            repr(answer)
            self.outcomes["value"] += 1
        except HushpostError as error:
            self.outcomes[type(error).__name__] += 1
            if error.code == "panic" or isinstance(error, HushpostError.Internal):
                self.found(shown, error)
        except (TimeoutError, asyncio.TimeoutError) as error:
            self.outcomes["waited"] += 1
            if not waits:
                self.found(shown, error)
        except BEFORE as error:
            self.outcomes[f"Python's {type(error).__name__}"] += 1
            frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
            if frames[-1] not in CARRYING and len(frames) > 1:
                self.found(shown, error)
        except Exception as error:
            self.found(shown, error)
        took = time.monotonic() - begun
        if took > 5 and not waits:
            self.findings.add(f"SLOW {took:.1f} s: {shown}")
        if called.name.split(".")[-1] in ENDS:
            await asyncio.wait_for(self.world(), HANGS)

    def found(self, shown: str, error: BaseException) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1]
        self.findings.add(f"{shown}: {type(error).__name__}: {str(error)[:300]} (in {where.name})")

    async def run(self, calls: int, seconds: float) -> None:
        await self.world()
        all_of_it = everything()
        give_up = time.monotonic() + seconds
        done = 0
        while done < calls and (time.monotonic() < give_up or done < len(all_of_it)):
            self.rng.shuffle(all_of_it)
            for called in all_of_it:
                await self.call(called)
                done += 1
                if done % REFRESH == 0:
                    await self.world()
                if done >= calls or (time.monotonic() > give_up and done >= len(all_of_it)):
                    break
        for client in self.clients:
            await client.shut_down()
        never = [each.name for each in all_of_it if not self.count[each.name] and each.name not in NEVER]
        if never:
            self.findings.add(f"never called: {never}")
        for finding in sorted(self.findings):
            print("FINDING", finding.encode("unicode_escape").decode())
        print(f"{done} calls of {len(all_of_it)} functions: {dict(self.outcomes)}")


def _short(value: object) -> str:
    # A record prints less than what is to be seen here.
    ours = type(value).__module__ == native.__name__ and not isinstance(value, enum.Enum)
    text = f"{type(value).__name__}({_fields(value)})" if ours else repr(value)
    return text if len(text) < 300 else f"{text[:120]}… {len(text)} characters"


def _fields(value: object) -> str:
    return ", ".join(f"{name}={_short(each)}" for name, each in vars(value).items() if name != "_handle")


def main() -> int:
    seed, calls, seconds, folder, relay, relay_name = sys.argv[1:]
    fuzz = Fuzz(int(seed), Path(folder), relay, relay_name)
    asyncio.run(fuzz.run(int(calls), float(seconds)))
    hushpost.set_log_sink(None, hushpost.LogLevel.ERROR)
    return 1 if fuzz.findings else 0


if __name__ == "__main__":
    sys.exit(main())
