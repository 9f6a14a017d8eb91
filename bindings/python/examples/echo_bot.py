"""A bot that says every text back.

    python echo_bot.py RELAY_URL RELAY_NAME [FOLDER]

It keeps its database and the database's key in FOLDER, or in one that is removed at the end, prints `account ID` and
`ready`, and ends when its standard input does, or with Ctrl-C. It answers `python: TEXT` to each text that is no answer
of a bot's itself.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

from hushpost import Client, Config, Content, DatabaseKey, Event, HushpostError, Message, MessageState, Registration

MARK = "python: "
ANSWERS = (MARK, "echo: ")


# page: key
def key_of(folder: Path) -> DatabaseKey:
    """The key that was kept, or a new one. A bot that can do better keeps it in its system's secret store."""
    path = folder / "key"
    if path.exists():
        return DatabaseKey.from_bytes(path.read_bytes())
    key = DatabaseKey.generate()
    # For nobody else's eyes.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.bytes())
    return key


# page end


# page: answer
async def answer(client: Client, message: Message) -> None:
    """Says a text back."""
    if message.is_own or not isinstance(message.content, Content.TEXT):
        return
    text = message.content.text.body
    if text.startswith(ANSWERS):
        return
    conversation = client.conversation(message.conversation)
    try:
        await conversation.accept()
        await conversation.send_text(MARK + text)
        # Last: killed before this, the bot answers twice rather than never.
        await conversation.mark_read(message.cursor)
    except HushpostError as error:
        # One that cannot be answered, as a text that is too long with the mark, is no reason to stop.
        print(f"not answered: {error}", file=sys.stderr)


# page end


# page: unanswered
async def answer_what_waits(client: Client) -> None:
    """Answers what came before, and was not answered when the bot was stopped."""
    for summary in await client.conversations(archived=False, skip=0, limit=10_000):
        if summary.unread:
            page = await client.conversation(summary.id).messages_before(None, min(summary.unread, 500))
            for message in page.messages:
                if isinstance(message.state, MessageState.UNREAD):
                    await answer(client, message)


# page end


# page: bot
async def run(relay: str, relay_name: str, folder: Path) -> None:
    """Answers until it is cancelled."""
    config = Config(database=folder / "bot.db", key=key_of(folder), relay=relay, relay_name=relay_name)
    async with Client.session(config) as client, client.events() as events:
        print("account", await client.register(Registration.OPEN()), flush=True)
        await answer_what_waits(client)
        client.connect()
        async for state in client.connection_states():
            if state.is_ONLINE():
                break
        print("ready", flush=True)
        async for event in events:
            if isinstance(event, Event.MESSAGE_ADDED):
                message = await client.message(event.message)
                if message is not None:
                    await answer(client, message)


# page end


async def main(relay: str, relay_name: str, folder: Path) -> None:
    """Runs the bot until standard input ends, or a signal comes."""
    bot = asyncio.ensure_future(run(relay, relay_name, folder))
    loop = asyncio.get_running_loop()
    for wish in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(wish, bot.cancel)

    def until_input_ends() -> None:
        for _ in sys.stdin:
            pass
        loop.call_soon_threadsafe(bot.cancel)

    # Not waited for: a read cannot be given up.
    threading.Thread(target=until_input_ends, daemon=True).start()
    try:
        await bot
    except asyncio.CancelledError:
        if not bot.cancelled():
            raise


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(f"usage: python {sys.argv[0]} RELAY_URL RELAY_NAME [FOLDER]")
    if len(sys.argv) == 4:
        asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            asyncio.run(main(sys.argv[1], sys.argv[2], Path(temporary)))
