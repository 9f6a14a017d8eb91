"""The story of `bindings/SCENARIO.md`, a test for each step, under its number: steps 8 to 14."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from people import Person, body, friends, part, run, texts
from stage import LIMIT, Stage

from hushpost import (
    Activity,
    Client,
    Config,
    ConversationSummary,
    DatabaseKey,
    Event,
    HushpostError,
    InviteLink,
    MessageRef,
    MessageState,
    PushEnd,
    Registration,
    Stream,
    process_push,
    slice_of,
)


def test_08_search(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice, bob, hers, his = await friends(stage, tmp_path)
        for text in ("nothing here", "ein schöner Wasserfall 🏞 today", "nor here"):
            await hers.send_text(text)
        await bob.until_text(his, "nor here")
        [hit] = await bob.client.search("wasserfall", 0, 10)
        found = body(hit.message)
        assert found is not None
        assert [found[slice_of(found, each)] for each in hit.highlights] == ["Wasserfall"]
        assert await bob.client.search("volcano", 0, 10) == []
        assert await his.search("wasserfall", 1, 10) == []
        await part(alice, bob)

    run(test())


def test_09_typing(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice, bob, hers, _ = await friends(stage, tmp_path)

        async def typing(events: Stream[Event]) -> Event.TYPING:
            async for event in events:
                if isinstance(event, Event.TYPING):
                    return event
            raise AssertionError("the stream ended")

        async with bob.client.events() as events:
            await hers.set_activity(Activity.TYPING)
            event = await asyncio.wait_for(typing(events), LIMIT)
        assert event.account == alice.account and event.activity is Activity.TYPING
        assert event.conversation == hers.id()
        await part(alice, bob)

    run(test())


def test_10_a_key_changes(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice = await Person(stage, tmp_path, "alice").open()
        contacts = alice.client.contacts()
        conversation = await alice.client.conversation_with(stage.rust_user)
        await conversation.send_text("before")
        await alice.until_text(conversation, "echo: before")
        number = await contacts.safety_number(stage.rust_user)
        digits = number.digits().split()
        assert len(digits) == 12 and all(len(group) == 5 and group.isdigit() for group in digits)
        # What is scanned is the other's code: one's own is of the same two, the other way round.
        assert not number.matches_scanned(number.qr_payload())
        await contacts.set_verified(stage.rust_user, True)

        async def changed(events: Stream[Event]) -> Event.DEVICES_CHANGED:
            async for event in events:
                if isinstance(event, Event.DEVICES_CHANGED):
                    return event
            raise AssertionError("the stream ended")

        async with alice.client.events() as events:
            await asyncio.to_thread(stage.command, "renew")
            event = await asyncio.wait_for(changed(events), LIMIT)
        assert event.account == stage.rust_user
        contact = await contacts.get(stage.rust_user)
        assert contact is not None and contact.verified and contact.change_pending
        with pytest.raises(HushpostError.NotAllowed) as refused:
            await conversation.send_text("is it you?")
        assert refused.value.code == "verification_needed"
        assert "is it you?" not in await texts(conversation)

        await contacts.accept_change(stage.rust_user)
        await conversation.send_text("after")
        await alice.until_text(conversation, "echo: after")
        await part(alice)

    run(test())


def test_11_what_goes_wrong(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice, bob, hers, _ = await friends(stage, tmp_path)
        before = await texts(hers)
        for garbage in ("", "x", "../../etc/passwd", "\0", "é" * 5000):
            with pytest.raises(HushpostError.Invalid) as invalid:
                alice.client.conversation(garbage)
            assert invalid.value.code == "invalid_input" and not invalid.value.retryable
            with pytest.raises(HushpostError.Invalid):
                await alice.client.conversation_with(garbage)
            with pytest.raises(HushpostError.Invalid):
                await hers.mark_read(garbage)
            with pytest.raises(HushpostError.Invalid):
                await hers.messages_before(garbage, 10)
            with pytest.raises(HushpostError.Invalid):
                InviteLink.parse(garbage)
            with pytest.raises(HushpostError.Invalid):
                await alice.client.message(MessageRef(sender=garbage, id=garbage))
            with pytest.raises(HushpostError.Invalid):
                await Client.open(Config(database=tmp_path / "no.db", key=alice.config.key, relay=garbage))
        with pytest.raises(HushpostError.Invalid):
            await hers.send_text("")
        with pytest.raises(HushpostError.NotFound):
            await hers.retry(MessageRef(sender=alice.account, id=alice.account))
        with pytest.raises(HushpostError.Media):
            await asyncio.wait_for(alice.client.media().upload(tmp_path / "missing").finished(), LIMIT)
        assert await texts(hers) == before
        assert not (tmp_path / "no.db").exists()
        await part(alice, bob)

        with pytest.raises(HushpostError.Store) as closed:
            await alice.client.account_id()
        assert closed.value.code == "closed"
        with pytest.raises(HushpostError.Store):
            await hers.send_text("too late")
        other = Config(database=alice.config.database, key=DatabaseKey.generate(), relay=stage.relay)
        with pytest.raises(HushpostError.Store) as wrong:
            await Client.open(other)
        assert wrong.value.code == "wrong_key" and not wrong.value.retryable
        await alice.open()
        assert await texts(alice.client.conversation(hers.id())) == before
        await part(alice)

    run(test())


def test_11_a_relay_that_nobody_answers_at(tmp_path: Path) -> None:
    async def test() -> None:
        # Nobody listens on the discard port of this machine.
        config = Config(database=tmp_path / "me.db", key=DatabaseKey.generate(), relay="ws://127.0.0.1:9")
        async with Client.session(config) as client:
            with pytest.raises(HushpostError.Network) as unanswered:
                await asyncio.wait_for(client.register(Registration.OPEN()), LIMIT)
            assert unanswered.value.code == "not_connected" and unanswered.value.retryable

    run(test())


def test_12_five_hundred_at_once(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice, bob, hers, his = await friends(stage, tmp_path)
        said = [f"number {number}" for number in range(500)]
        sent = await asyncio.gather(*(hers.send_text(text) for text in said))
        assert len(set(sent)) == 500

        async def all_there() -> list[str] | None:
            heard = [text for text in await texts(his) if text.startswith("number ")]
            return heard if len(heard) >= 498 else None

        await bob.until(all_there)
        for message in sent:
            await alice.until_state(message, MessageState.DELIVERED)
        heard: list[str] = []
        before: str | None = None
        while True:
            page = await his.messages_before(before, 200)
            if not page.messages:
                break
            heard += [text for each in page.messages if (text := body(each)) is not None]
            before = page.messages[0].cursor
        assert sorted(text for text in heard if text in set(said)) == sorted(said)
        await part(alice, bob)

    run(test())


def test_13_a_subscription_cancelled_in_the_middle(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice, bob, hers, _ = await friends(stage, tmp_path)

        async def read(events: Stream[Event], begun: asyncio.Event) -> int:
            count = 0
            async for _ in events:
                count += 1
                begun.set()
            return count

        events, begun = alice.client.events(), asyncio.Event()
        reader = asyncio.create_task(read(events, begun))
        await hers.send_text("look")
        await asyncio.wait_for(begun.wait(), LIMIT)
        await events.aclose()
        assert await asyncio.wait_for(reader, LIMIT) > 0
        assert [each async for each in events] == []

        async with alice.client.events() as again:
            message = await hers.send_text("still here")
            event = await asyncio.wait_for(anext(again), LIMIT)
            assert event is not None
        await alice.until_state(message, MessageState.DELIVERED)
        await part(alice, bob)

    run(test())


def test_14_a_push(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice, bob, hers, his = await friends(stage, tmp_path)
        await bob.client.contacts().set_name(alice.account, "Alice")
        await bob.client.shut_down()
        for text in ("wake up", "please"):
            await alice.until_state(await hers.send_text(text), MessageState.SENT)

        pushed = await asyncio.wait_for(process_push(bob.config, timedelta(seconds=20)), LIMIT)
        assert pushed.end is PushEnd.CAUGHT_UP
        assert [(each.title, each.preview) for each in pushed.messages] == [("Alice", "wake up"), ("Alice", "please")]
        assert not any(each.requested for each in pushed.messages)

        await bob.open()
        his = bob.client.conversation(hers.id())
        assert (await texts(his))[-2:] == ["wake up", "please"]
        assert len(set(await texts(his))) == len(await texts(his))
        summary: ConversationSummary = await his.summary()
        assert summary.last_message is not None and body(summary.last_message) == "please"
        await part(alice, bob)

    run(test())
