"""What a client can do, a function each; the getting-started page shows them, and the tests call them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from hushpost import (
    Client,
    Config,
    Content,
    Conversation,
    Group,
    HushpostError,
    Mention,
    Message,
    MessageRef,
    MessageState,
    NewGroup,
    PushEnd,
    Text,
    process_push,
    range_of,
    slice_of,
)


async def until_read(client: Client, message: MessageRef, show: Callable[[str], None]) -> None:
    """Shows the ticks of a message until it is read."""
    # page: ticks
    async with client.events() as events:
        shown = None
        while not isinstance(shown, MessageState.READ):
            found = await client.message(message)
            if found is not None and found.state != shown:
                shown = found.state
                show(type(shown).__name__)
                continue
            await anext(events)  # something happened: look again
    # page end


async def make_group(client: Client, friends: list[str]) -> Group:
    """A group, and the first words in it."""
    # page: group
    group = await client.create_group(NewGroup(name="Picnic", members=friends))
    await group.conversation().send_text("Who brings what?")
    # page end
    return group


async def leave_out(group: Group, somebody: str) -> None:
    """Somebody is taken out."""
    # page: removal
    await group.remove([somebody])  # reads nothing that is said from now on
    # page end


async def send_file(client: Client, conversation: Conversation, path: Path, show: Callable[[str], None]) -> None:
    """Sends a file, with progress."""
    # page: send-file
    upload = client.media().upload(path)
    async for progress in upload.progress():
        show(f"{progress.stage.name} {progress.done} of {progress.total}")
    await conversation.send_attachments([await upload.finished()])
    # page end


async def save_files(client: Client, message: Message, folder: Path) -> None:
    """Saves what came with a message."""
    # page: save-file
    if isinstance(message.content, Content.ATTACHMENTS):
        for number, file in enumerate(message.content.files):
            # The name is a stranger's: do not use it as a path as it is.
            await client.media().save(file.file, folder / f"{number}.bin")
    # page end


async def find(client: Client, word: str) -> list[str]:
    """What is found, with its highlights in brackets."""
    lines = []
    # page: search
    for hit in await client.search(word, skip=0, limit=20):
        if isinstance(hit.message.content, Content.TEXT):
            text = hit.message.content.text.body
            marked = [text[slice_of(text, part)] for part in hit.highlights]
            lines.append(f"{text}: {marked}")
    # page end
    return lines


async def mention(conversation: Conversation, account: str) -> MessageRef:
    """Speaks of somebody."""
    # page: mention
    text = "🎉 Welcome, Bob!"
    at = text.index("Bob")
    spoken_of = Mention(range=range_of(text, at, at + len("Bob")), account=account)
    message = await conversation.send(Content.TEXT(text=Text(body=text, mentions=[spoken_of])))
    # page end
    return message


async def send_or_say_why(conversation: Conversation, text: str, show: Callable[[str], None]) -> None:
    """Sends a text; whatever stands in the way is said."""
    # page: errors
    try:
        await conversation.send_text(text)
    except HushpostError.Invalid:
        show("write something first")
    except HushpostError.NotAllowed as error:
        if error.code == "verification_needed":
            show("their devices changed: compare safety numbers, then accept")
        else:
            show(f"not allowed: {error}")
    except HushpostError as error:
        show(f"try again later: {error}" if error.retryable else f"{error.code}: {error.reason}")
    # page end


async def wake_up(config: Config, notify: Callable[[str, str], None]) -> None:
    """What a background worker does when a push wakes it. `config` has `many_processes=True`."""
    # page: push
    pushed = await process_push(config, timedelta(seconds=20))
    for each in pushed.messages:
        notify(each.title or "somebody", each.preview)
    if pushed.end is PushEnd.OUT_OF_TIME:
        notify("Messages", "you may have new messages")
    # page end


async def stop_from_elsewhere(client: Client) -> int:
    """A stream that another task ends."""
    # page: cancel
    events = client.events()

    async def watch() -> int:
        return len([event async for event in events])  # ends when it is told to

    watching = asyncio.create_task(watch())
    await events.aclose()
    seen = await watching
    # page end
    return seen
