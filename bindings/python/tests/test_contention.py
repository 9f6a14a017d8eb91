"""Whoever is slow holds nobody else up."""

from __future__ import annotations

import asyncio
from pathlib import Path

from people import Person, part, run
from stage import LIMIT, Stage

ROUNDS, LISTS, READS = 50, 8, 40


def test_lists_that_nobody_reads_hold_no_reader_up(stage: Stage, tmp_path: Path) -> None:
    async def test() -> None:
        alice = await Person(stage, tmp_path, "alice").open()
        conversation = await alice.client.conversation_with(stage.rust_user)
        lists = [alice.client.conversation_list_stream(archived=False) for _ in range(LISTS)]
        for each in lists:
            await each.next(1)
        for number in range(ROUNDS):
            reads = [asyncio.ensure_future(conversation.messages_before(None, 10)) for _ in range(READS)]
            await conversation.set_draft(f"draft {number}")
            # Each list has a change to tell, is asked, and then not asked any more.
            asked = [asyncio.ensure_future(each.next(1)) for each in lists]
            await asyncio.sleep(0)
            for asking in asked:
                asking.cancel()
            await asyncio.wait_for(asyncio.gather(*reads), LIMIT / 2)
        await asyncio.wait_for(part(alice), LIMIT / 2)

    run(test())
