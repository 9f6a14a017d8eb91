"""Writes to somebody, and waits for the answer.

    python hello.py RELAY_URL RELAY_NAME ACCOUNT [FOLDER]

Start the echo bot beside it, and give it the account that the bot prints.
"""

# page: hello
import asyncio
import sys
from pathlib import Path

from echo_bot import key_of

from hushpost import Client, Config, Content, Event, Registration


async def main(relay: str, relay_name: str, friend: str, folder: Path) -> None:
    """Says hello."""
    config = Config(database=folder / "me.db", key=key_of(folder), relay=relay, relay_name=relay_name)
    async with Client.session(config) as client, client.events() as events:
        print("I am", await client.register(Registration.OPEN()))
        client.connect()  # and connects again by itself

        conversation = await client.conversation_with(friend)
        await conversation.send_text("Hello!")  # on the disk now, delivered when it can be
        async for event in events:
            if isinstance(event, Event.MESSAGE_ADDED):
                message = await client.message(event.message)
                if message and not message.is_own and isinstance(message.content, Content.TEXT):
                    print("they say:", message.content.text.body)
                    break


if __name__ == "__main__":
    relay, relay_name, friend, *folder = sys.argv[1:]
    asyncio.run(main(relay, relay_name, friend, Path(*folder)))
# page end
