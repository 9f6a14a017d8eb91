"""The story of `bindings/SCENARIO.md`, a test for each step, under its number: steps 1 to 7."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from people import Person, friends, part, run, texts, two
from stage import LIMIT, Stage

from hushpost import (
    ConnectionState,
    Content,
    GroupInfo,
    HushpostError,
    Message,
    MessageState,
    NewGroup,
    Progress,
    Stream,
)
from hushpost import Stage as ProgressStage


def test_01_two_register(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice, bob = await two(stage, tmp_path)
        assert alice.account != bob.account
        assert await alice.client.account_id() == alice.account
        before = alice.account
        await alice.client.shut_down()
        await alice.open()
        assert alice.account == before
        await part(alice, bob)

    run(test())


def test_02_one_to_one_with_ticks(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice, bob = await two(stage, tmp_path)
        await bob.client.contacts().set_name(alice.account, "Alice")
        hers = await alice.client.conversation_with(bob.account)
        message = await hers.send_text("are you there?")
        sent = await alice.until_state(message, MessageState.SENT)
        assert sent.is_own and sent.accepted is not None

        his = bob.client.conversation(hers.id())
        there = await bob.until_text(his, "are you there?")
        summary = await his.summary()
        assert summary.requested and summary.name == "Alice" and summary.unread == 1
        await his.accept()
        delivered = await alice.until_state(message, MessageState.DELIVERED)
        assert delivered.delivered is not None and delivered.read is None

        await his.mark_read(there.cursor)
        read = await alice.until_state(message, MessageState.READ)
        assert read.read is not None
        summary = await his.summary()
        assert not summary.requested and summary.unread == 0
        await part(alice, bob)

    run(test())


def test_03_offline(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice, bob, hers, his = await friends(stage, tmp_path)
        await bob.client.disconnect()
        said = ["one", "two", "three"]
        sent = [await hers.send_text(text) for text in said]
        for message in sent:
            waiting = await alice.until_state(message, MessageState.SENT)
            assert waiting.delivered is None
        assert (await texts(his))[-1] == "hello, Alice"

        bob.client.connect()
        await bob.until_text(his, "three")
        await bob.online()
        assert (await texts(his))[-4:] == ["hello, Alice", *said]
        for message in sent:
            await alice.until_state(message, MessageState.DELIVERED)
        await part(alice, bob)

    run(test())


def test_04_a_relay_that_dies(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice, bob, hers, his = await friends(stage, tmp_path)
        await asyncio.to_thread(stage.command, "kill")
        try:
            await alice.connection(ConnectionState.WAITING)
            message = await asyncio.wait_for(hers.send_text("into the void"), LIMIT)
            written = await alice.client.message(message)
            assert written is not None and isinstance(written.state, MessageState.QUEUED)
        finally:
            await asyncio.to_thread(stage.command, "start")
        await alice.online()
        await bob.online()
        await bob.until_text(his, "into the void")
        await alice.until_state(message, MessageState.DELIVERED)
        assert (await texts(his)).count("into the void") == 1
        await part(alice, bob)

    run(test())


def test_05_a_user_of_another_language(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice = await Person(stage, tmp_path, "alice").open()
        conversation = await alice.client.conversation_with(stage.rust_user)
        await conversation.send_text("grüße 👋")
        answer = await alice.until_text(conversation, "echo: grüße 👋")
        assert answer.id.sender == stage.rust_user and not answer.is_own
        assert isinstance(answer.content, Content.TEXT) and answer.content.text.reply_to is None
        await part(alice)

    run(test())


def test_06_a_group_with_a_removal(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice, bob, hers, his = await friends(stage, tmp_path)
        group = await alice.client.create_group(NewGroup(name="The three", members=[bob.account, stage.rust_user]))
        bobs = bob.client.group(group.id())

        async def has_it() -> GroupInfo | None:
            try:
                return await bobs.info()
            except HushpostError.NotFound:
                return None

        info = await bob.until(has_it)
        assert {each.account for each in info.members} == {alice.account, bob.account, stage.rust_user}
        assert info.name == "The three"

        spoken, heard = group.conversation(), bobs.conversation()
        await spoken.send_text("from Alice")
        await bob.until_text(heard, "from Alice")
        await bob.until_text(heard, "echo: from Alice")
        await heard.send_text("from Bob")
        await alice.until_text(spoken, "from Bob")
        await alice.until_text(spoken, "echo: from Bob")
        await bob.until_text(heard, "echo: from Bob")

        await group.remove([bob.account])

        async def is_out() -> bool:
            return not (await bobs.info()).members

        await bob.until(is_out)
        await spoken.send_text("without Bob")
        await alice.until_text(spoken, "echo: without Bob")
        # What Bob was sent before this would be there before it.
        await hers.send_text("only for you")
        await bob.until_text(his, "only for you")
        assert not [text for text in await texts(heard) if "without Bob" in text]
        with pytest.raises(HushpostError.NotAllowed):
            await heard.send_text("let me in")
        await part(alice, bob)

    run(test())


async def _transferred(progress: Stream[Progress]) -> list[Progress]:
    return [each async for each in progress if each.stage is ProgressStage.TRANSFERRING]


def test_07_an_attachment(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice, bob, hers, his = await friends(stage, tmp_path)
        size = 3 * 1024 * 1024
        file = tmp_path / "plan.bin"
        file.write_bytes(bytes(range(256)) * (size // 256))

        upload = alice.client.media().upload(file)
        seen = asyncio.create_task(_transferred(upload.progress()))
        attachment = await asyncio.wait_for(upload.finished(), LIMIT)
        done = [each.done for each in await seen]
        assert done == sorted(done) and done[-1] == (await seen)[-1].total >= size
        await hers.send_attachments([attachment])

        async def has_file() -> Message | None:
            page = await his.messages_before(None, 10)
            found = (each for each in page.messages if isinstance(each.content, Content.ATTACHMENTS))
            return next(found, None)

        message = await bob.until(has_file)
        assert isinstance(message.content, Content.ATTACHMENTS)
        [offered] = message.content.files
        assert offered.file_name == "plan.bin" and offered.size == size
        download = bob.client.media().download(offered.file)
        seen = asyncio.create_task(_transferred(download.progress()))
        await asyncio.wait_for(download.finished(), LIMIT)
        assert (await seen)[-1].done == (await seen)[-1].total >= size
        copy = tmp_path / "copy.bin"
        await bob.client.media().save(offered.file, copy)
        assert copy.read_bytes() == file.read_bytes()
        await part(alice, bob)

    run(test())


def test_07_an_upload_that_is_cancelled(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice = await Person(stage, tmp_path, "alice").open()
        media = alice.client.media()
        file = tmp_path / "large.bin"
        file.write_bytes(bytes(32 * 1024 * 1024))
        upload = media.upload(file)
        async with upload.progress() as progress:
            async for each in progress:
                if each.stage is ProgressStage.TRANSFERRING:
                    break
        upload.cancel_handle().cancel()
        with pytest.raises(HushpostError.Cancelled) as cancelled:
            await asyncio.wait_for(upload.finished(), LIMIT)
        assert not cancelled.value.retryable

        [unfinished] = await media.unfinished()
        assert unfinished.file_name == "large.bin" and not unfinished.uploaded
        await media.forget(unfinished.id)
        assert await media.unfinished() == []
        await part(alice)

    run(test())
