"""The examples do what they say."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from people import Person, part, run, texts
from stage import LIMIT, Stage

EXAMPLES = Path(__file__).parent.parent / "examples"


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), LIMIT)).decode().strip()


async def _end(process: asyncio.subprocess.Process) -> bytes:
    """Ends the bot's input, and gives what it complained of."""
    assert process.stdin is not None and process.stderr is not None
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), LIMIT) == 0
    return await process.stderr.read()


async def _start(stage: Stage, *more: str) -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / "echo_bot.py"),
        stage.relay,
        stage.relay_name,
        *more,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    said = await _line(process)
    assert said.startswith("account "), said
    assert await _line(process) == "ready"
    return process, said.removeprefix("account ")


def test_the_bot_says_texts_back_and_is_the_same_when_started_again(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice = await Person(stage, tmp_path, "alice").open()
        folder = tmp_path / "bot"
        folder.mkdir()
        bot, account = await _start(stage, str(folder))
        conversation = await alice.client.conversation_with(account)
        for text in ("hello", "echo: not this", "python: nor this", "and this"):
            await conversation.send_text(text)
        await alice.until_text(conversation, "python: and this")
        answers = [text for text in await texts(conversation) if text.startswith("python: ") and "nor" not in text]
        assert answers == ["python: hello", "python: and this"]
        assert await _end(bot) == b""

        again, same = await _start(stage, str(folder))
        assert same == account
        await conversation.send_text("once more")
        await alice.until_text(conversation, "python: once more")
        assert await _end(again) == b""
        await part(alice)

    run(test())


@pytest.mark.parametrize("wish", [signal.SIGINT, signal.SIGTERM])
def test_the_bot_ends_when_it_is_asked_to(stage: Stage, wish: signal.Signals) -> None:
    async def test() -> None:
        bot, _ = await _start(stage)
        bot.send_signal(wish)
        await asyncio.wait_for(bot.wait(), LIMIT)
        assert bot.returncode == 0
        assert bot.stderr is not None and await bot.stderr.read() == b""

    run(test())
