"""The page's examples run, and the page has them as they are."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from people import friends, part, run, texts
from stage import LIMIT, Stage

from hushpost import Content, HushpostError, Message, MessageState

PYTHON = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PYTHON / "examples"))

import features  # noqa: E402


def test_the_page_has_its_sources() -> None:
    subprocess.run(["bash", str(PYTHON.parent / "check-pages"), str(PYTHON / "README.md")], check=True)


def test_hello(stage: Stage, tmp_path: Path) -> None:
    command = [sys.executable, str(PYTHON / "examples" / "hello.py"), stage.relay, stage.relay_name, stage.rust_user]
    said = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, timeout=LIMIT, check=True)
    assert said.stdout.splitlines()[-1] == "they say: echo: Hello!"
    assert said.stderr == ""


def test_features(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice, bob, hers, his = await friends(stage, tmp_path)
        shown: list[str] = []

        message = await features.mention(hers, bob.account)
        watching = asyncio.create_task(features.until_read(alice.client, message, shown.append))
        there = await bob.until_text(his, "🎉 Welcome, Bob!")
        assert isinstance(there.content, Content.TEXT)
        [spoken_of] = there.content.text.mentions
        assert spoken_of.account == bob.account
        await his.mark_read(there.cursor)
        await asyncio.wait_for(watching, LIMIT)
        assert shown[-1] == MessageState.READ.__name__
        assert await features.find(bob.client, "welcome") == ["🎉 Welcome, Bob!: ['Welcome']"]

        group = await features.make_group(alice.client, [bob.account])
        await bob.until_text(bob.client.conversation(group.id()), "Who brings what?")
        await features.leave_out(group, bob.account)

        file = tmp_path / "file"
        file.write_bytes(b"content" * 1000)
        shown.clear()
        await features.send_file(alice.client, hers, file, shown.append)
        assert shown[-1].startswith("ENDED")

        async def has_file() -> Message | None:
            page = await his.messages_before(None, 5)
            return next((each for each in page.messages if isinstance(each.content, Content.ATTACHMENTS)), None)

        await features.save_files(bob.client, await bob.until(has_file), tmp_path)
        assert (tmp_path / "0.bin").read_bytes() == file.read_bytes()
        assert await asyncio.wait_for(features.stop_from_elsewhere(alice.client), LIMIT) == 0

        shown.clear()
        await features.send_or_say_why(hers, "", shown.append)
        assert shown == ["write something first"]

        await bob.client.shut_down()
        await alice.until_state(await hers.send_text("wake up"), MessageState.SENT)
        told: list[tuple[str, str]] = []
        await features.wake_up(bob.config, lambda title, text: told.append((title, text)))
        assert told == [("somebody", "wake up")]
        await part(alice)
        shown.clear()
        await features.send_or_say_why(hers, "too late", shown.append)
        assert shown[0].startswith("closed: ")
        try:
            await texts(hers)
        except HushpostError as error:
            assert error.code == "closed"

    run(test())
