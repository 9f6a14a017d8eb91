"""What this layer adds: streams, `async with`, printing, copies, paths, parts of texts."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import os
import pickle
import threading
import weakref
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from people import friends, part, run
from stage import LIMIT, Stage

import hushpost
from hushpost import (
    Client,
    Config,
    ConnectionState,
    Content,
    DatabaseKey,
    Event,
    HushpostError,
    ListChange,
    MessageRef,
    Registration,
    Reply,
    Text,
    TextRange,
    UploadOptions,
    range_of,
    slice_of,
)
from hushpost._native import hushpost as native

NOBODY = "ws://127.0.0.1:9"


def config(folder: Path, name: str = "me") -> Config:
    return Config(database=folder / f"{name}.db", key=DatabaseKey.generate(), relay=NOBODY)


def test_everything_that_is_generated_is_there() -> None:
    assert set(native.__all__) <= set(hushpost.__all__)
    assert all(hasattr(hushpost, name) for name in hushpost.__all__)
    assert hushpost.__all__ == sorted(hushpost.__all__)


def test_config_takes_what_the_generated_one_takes() -> None:
    ours, generated = inspect.signature(Config.__init__), inspect.signature(native.Config.__init__)
    assert list(ours.parameters) == list(generated.parameters)
    made = Config(database=Path("a.db"), key=DatabaseKey.generate(), relay=NOBODY)
    assert vars(made) == vars(native.Config(database="a.db", key=made.key, relay=NOBODY))


def test_a_session_shuts_down(tmp_path: Path) -> None:
    async def test() -> None:
        async with Client.session(config(tmp_path)) as client:
            assert await client.account_id() is None
        with pytest.raises(HushpostError.Store):
            await client.account_id()
        with pytest.raises(ZeroDivisionError):
            async with await Client.open(config(tmp_path, "other")) as client:
                raise ZeroDivisionError
        with pytest.raises(HushpostError.Store):
            await client.account_id()

    run(test())


def test_streams_end_with_the_client(tmp_path: Path) -> None:
    async def test() -> None:
        client = await Client.open(config(tmp_path))
        events, changes = client.events(), client.conversation_list()
        first = await anext(changes)
        assert isinstance(first, ListChange.RESET) and first.entries == []
        waiting = [asyncio.ensure_future(anext(stream, None)) for stream in (events, changes)]
        await client.shut_down()
        assert await asyncio.wait_for(asyncio.gather(*waiting), LIMIT) == [None, None]

    run(test())


def test_connection_states_end_with_the_client(tmp_path: Path) -> None:
    async def test() -> None:
        client = await Client.open(config(tmp_path))
        states = client.connection_states()
        assert isinstance(await anext(states), ConnectionState.OFFLINE)
        waiting = asyncio.ensure_future(anext(states, None))
        await client.shut_down()
        assert await asyncio.wait_for(waiting, LIMIT) is None

    run(test())


def test_cancelling_the_task_ends_the_stream(tmp_path: Path) -> None:
    async def test() -> None:
        async with Client.session(config(tmp_path)) as client:
            events = client.events()
            reader = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            with pytest.raises(StopAsyncIteration):
                await anext(events)

            events = client.events()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(events), 0.01)
            with pytest.raises(StopAsyncIteration):
                await anext(events)

    run(test())


def test_break_lets_go_of_a_stream_that_nobody_holds(tmp_path: Path) -> None:
    async def test() -> None:
        async with Client.session(config(tmp_path)) as client:
            seen: list[weakref.ref[object]] = []
            async for _ in (stream := client.connection_states()):
                seen.append(weakref.ref(stream._feed))
                del stream
                break
            gc.collect()
            assert seen[0]() is None

            held = client.connection_states()
            async for _ in held:
                break
            client.connect()
            async for state in held:
                assert not isinstance(state, ConnectionState.OFFLINE)
                break
            held.cancel()
            assert [state async for state in held] == []

    run(test())


def test_leaving_the_block_ends_the_stream(tmp_path: Path) -> None:
    async def test() -> None:
        async with Client.session(config(tmp_path)) as client:
            async with client.connection_states() as states:
                async for _ in states:
                    break
            assert [state async for state in states] == []
            with pytest.raises(ZeroDivisionError):
                async with client.events() as events:
                    raise ZeroDivisionError
            assert [event async for event in events] == []

    run(test())


def test_a_stream_is_cancelled_from_another_thread(tmp_path: Path) -> None:
    async def test() -> None:
        async with Client.session(config(tmp_path)) as client:
            events = client.events()
            reader = asyncio.ensure_future(anext(events, None))
            await asyncio.sleep(0)
            threading.Thread(target=events.cancel).start()
            assert await asyncio.wait_for(reader, LIMIT) is None

    run(test())


def test_event_loops_in_several_threads_share_a_client(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice, bob, hers, his = await friends(stage, tmp_path)

        def in_a_thread(number: int) -> MessageRef:
            async def send() -> MessageRef:
                async with alice.client.events() as events:
                    message = await hers.send_text(f"from thread {number}")
                    async for event in events:
                        if isinstance(event, Event.MESSAGE_ADDED) and event.message == message:
                            break
                return message

            return asyncio.run(asyncio.wait_for(send(), LIMIT))

        sent = await asyncio.gather(*(asyncio.to_thread(in_a_thread, number) for number in range(4)))
        assert len(set(sent)) == 4
        for number in range(4):
            await bob.until_text(his, f"from thread {number}")
        await part(alice, bob)

    run(test())


def test_a_call_that_is_cancelled_goes_on(tmp_path: Path) -> None:
    async def test() -> None:
        async with Client.session(config(tmp_path)) as client:
            calls = [asyncio.ensure_future(client.account_id()) for _ in range(200)]
            await asyncio.sleep(0)
            for call in calls[::2]:
                call.cancel()
            done = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), LIMIT)
            assert all(answer is None for answer in done[1::2])
            assert await client.account_id() is None
        assert not hushpost._bridge._waiting and not hushpost._bridge._pending

    run(test())


def test_errors_are_of_one_kind() -> None:
    with pytest.raises(HushpostError) as caught:
        DatabaseKey.from_bytes(b"short")
    error = caught.value
    assert isinstance(error, HushpostError.Invalid)
    assert (error.code, error.retryable) == ("invalid_input", False)
    assert str(error) == f"{error.reason} (invalid_input)" and "32 bytes" in error.reason
    assert repr(error) == f"HushpostError.Invalid({error})"
    panic = hushpost.InternalError("what a user wrote")
    assert isinstance(panic, HushpostError.Internal) and panic.code == "panic"
    assert "wrote" not in str(panic)


SECRET = "s3cret-word"
NOW = datetime.now(timezone.utc)


def secrets() -> list[object]:
    key = DatabaseKey.from_bytes(SECRET.encode().ljust(32, b"!"))
    text = Text(body=SECRET, reply_to=Reply(to=MessageRef(sender="a", id="b"), excerpt=SECRET))
    content = Content.TEXT(text=text)
    message = native.Message(
        conversation="c",
        id=MessageRef(sender="a", id="b"),
        is_own=False,
        device=1,
        content=content,
        state=native.MessageState.UNREAD(),
        sent=NOW,
        accepted=None,
        delivered=None,
        read=None,
        shared_by=None,
        cursor="0",
        forwards=0,
        edited=None,
        starred=False,
        pinned=False,
        expires=None,
        reactions=[],
        votes=[],
    )
    return [
        key,
        Config(database="me.db", key=key, relay=NOBODY),
        Registration.TOKEN(token=SECRET),
        Registration.INVITE_CODE(code=SECRET),
        text,
        text.reply_to,
        content,
        message,
        native.SearchHit(message=message, highlights=[]),
        native.Page(messages=[message], more=False),
        native.TextVersion(text=text, at=NOW),
        native.NewGroup(name=SECRET, members=[], description=SECRET),
        native.Poll(question=SECRET, options=[SECRET]),
        native.ContactCard(name=SECRET, phone_numbers=[SECRET], email_addresses=[SECRET]),
        native.LinkPreview(url=SECRET, title=SECRET, description=SECRET),
        native.UploadOptions(file_name=SECRET),
        native.GroupNotice.RENAMED(name=SECRET),
        Content.LOCATION(place=native.Location(latitude=1.5, longitude=2.5, name=SECRET)),
        native.PushedMessage(message=message, preview=SECRET, title=SECRET, requested=False),
    ]


@pytest.mark.parametrize("each", secrets(), ids=lambda each: type(each).__name__)
def test_nothing_prints_what_a_user_wrote(each: object) -> None:
    for shown in (str(each), repr(each), f"{each}", f"{[each]}", "%s" % each):
        assert SECRET not in shown and repr(SECRET.encode())[2:-1] not in shown
    assert str(each) == repr(each)
    if each.__class__ is native.PushedMessage or isinstance(each, Content.TEXT):
        # A field that is not of its type is no reason to fail while printing, or to tell more.
        vars(each).update(dict.fromkeys(vars(each), {"not": SECRET}))
        assert SECRET not in str(each)


def test_every_record_says_itself_or_its_fields() -> None:
    printable = list(hushpost._records._printable())
    assert len(printable) > 80
    for cls in printable:
        assert cls.__str__ is cls.__repr__, cls


def test_records_compare_with_anything() -> None:
    one, same = MessageRef(sender="a", id="b"), MessageRef(sender="a", id="b")
    assert one == same and hash(one) == hash(same) and len({one, same}) == 1
    assert one != MessageRef(sender="a", id="c")
    for other in (None, 1, "a", Text(body="a"), object()):
        assert one != other and Text(body="x") != other
    one_of: list[Registration] = [Registration.OPEN(), Registration.OPEN(), Registration.TOKEN(token="a")]
    assert one_of[0] == one_of[1] != one_of[2]


def test_a_copied_object_is_the_same_object() -> None:
    key = DatabaseKey.generate()
    made = Config(database="me.db", key=key, relay=NOBODY)
    for each in (copy.copy(key), copy.deepcopy(key), copy.deepcopy(made).key):
        assert each is key
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(key)
    del made
    gc.collect()
    assert len(key.bytes()) == 32


@pytest.mark.parametrize("text", ["plain", "grün 🎉 日本語", "👨‍👩‍👧 e\u0301", "\ud800 lone", ""])
def test_parts_of_texts_there_and_back(text: str) -> None:
    for start in range(len(text) + 1):
        for end in range(start, len(text) + 1):
            assert text[slice_of(text, range_of(text, start, end))] == text[start:end]


def test_parts_that_do_not_fit_the_text() -> None:
    assert slice_of("é", TextRange(start=1, end=2)) == slice(0, 1)
    assert slice_of("é", TextRange(start=5, end=2**32 - 1)) == slice(1, 1)


def test_a_budget_of_nothing_is_no_fault(tmp_path: Path) -> None:
    async def test() -> None:
        with pytest.raises(HushpostError.NotAllowed):
            await hushpost.process_push(config(tmp_path), timedelta(0))

    run(test())


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """Opening a pipe waits for whoever writes into it, for ever: it must not be opened at all."""

    async def story() -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        config = Config(database=tmp_path / "a.db", key=DatabaseKey.generate(), relay=NOBODY)
        async with Client.session(config) as client:
            uploads = [client.media().upload(str(path), UploadOptions()) for path in [pipe] * 12 + [tmp_path]]
            for upload in uploads:
                with pytest.raises(HushpostError.Media) as refused:
                    await upload.finished()
                assert refused.value.code == "media_file"

    run(story())
