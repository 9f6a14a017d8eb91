"""Users of the library that the tests move about, and waiting for what they see."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from stage import LIMIT, Stage

from hushpost import (
    Client,
    Config,
    ConnectionState,
    Content,
    Conversation,
    DatabaseKey,
    Message,
    MessageRef,
    MessageState,
    Registration,
)

Found = TypeVar("Found")


def run(test: Coroutine[Any, Any, Found]) -> Found:
    """Runs a test, and no longer than the limit."""
    return asyncio.run(asyncio.wait_for(test, 2 * LIMIT))


class Person:
    """Somebody with a database of their own."""

    def __init__(self, stage: Stage, folder: Path, name: str) -> None:
        self.name = name
        self.config = Config(
            database=folder / f"{name}.db",
            key=DatabaseKey.generate(),
            relay=stage.relay,
            relay_name=stage.relay_name,
            pre_key_stock=10,
            many_processes=True,
        )

    client: Client
    account: str

    async def open(self) -> Person:
        """Opens the database, and connects."""
        self.client = await Client.open(self.config)
        self.account = await self.client.register(Registration.OPEN())
        self.client.connect()
        await self.online()
        return self

    async def online(self) -> None:
        """Waits until everything is here."""
        await self.connection(ConnectionState.ONLINE)

    async def connection(self, kind: type[ConnectionState]) -> None:
        """Waits for a state of the connection."""

        async def wait() -> None:
            async for state in self.client.connection_states():
                if isinstance(state, kind):
                    return
            raise AssertionError(f"{self.name}'s client was shut down")

        await asyncio.wait_for(wait(), LIMIT)

    async def until(self, condition: Callable[[], Awaitable[Found | None]]) -> Found:
        """Waits until a condition holds, looking again at every event, and gives what it gave."""

        async def wait() -> Found:
            async with self.client.events() as events:
                if found := await condition():
                    return found
                async for _ in events:
                    if found := await condition():
                        return found
            raise AssertionError(f"{self.name}'s client was shut down")

        return await asyncio.wait_for(wait(), LIMIT)

    async def until_state(self, message: MessageRef, kind: type[MessageState]) -> Message:
        """Waits until a message is that far."""

        async def look() -> Message | None:
            found = await self.client.message(message)
            return found if found and isinstance(found.state, kind) else None

        return await self.until(look)

    async def until_text(self, conversation: Conversation, text: str) -> Message:
        """Waits until a conversation has a text."""

        async def look() -> Message | None:
            page = await conversation.messages_before(None, 500)
            return next((each for each in page.messages if body(each) == text), None)

        return await self.until(look)


async def two(stage: Stage, folder: Path) -> tuple[Person, Person]:
    """Alice and Bob, registered and online."""
    alice, bob = Person(stage, folder, "alice"), Person(stage, folder, "bob")
    await asyncio.gather(alice.open(), bob.open())
    return alice, bob


async def friends(stage: Stage, folder: Path) -> tuple[Person, Person, Conversation, Conversation]:
    """Alice and Bob, who have accepted each other, and the conversation as each of them has it."""
    alice, bob = await two(stage, folder)
    hers = await alice.client.conversation_with(bob.account)
    his = await bob.client.conversation_with(alice.account)
    await hers.send_text("hello, Bob")
    await bob.until_text(his, "hello, Bob")
    await his.send_text("hello, Alice")
    await alice.until_text(hers, "hello, Alice")
    return alice, bob, hers, his


def body(message: Message) -> str | None:
    """What a message says, if it is a text."""
    return message.content.text.body if isinstance(message.content, Content.TEXT) else None


async def texts(conversation: Conversation) -> list[str]:
    """All texts of a conversation, oldest first."""
    page = await conversation.messages_before(None, 500)
    return [text for each in page.messages if (text := body(each)) is not None]


async def part(*people: Person) -> None:
    """Everybody goes home."""
    await asyncio.gather(*(each.client.shut_down() for each in people))
