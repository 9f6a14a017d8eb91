"""Subscriptions as asynchronous iterators."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Generic, Protocol, TypeVar

from hushpost._native.hushpost import CancelHandle

Item = TypeVar("Item")

_BATCH = 64


class Feed(Protocol[Item]):
    """What the library gives: asked again and again, it answers with a few items, and with none once it has ended."""

    async def next(self, at_most: int) -> list[Item]:
        """Waits for at least one item."""
        ...

    def cancel_handle(self) -> CancelHandle:
        """Ends it from anywhere."""
        ...


class Stream(AsyncIterator[Item], Generic[Item]):
    """A subscription, for one reader: `async for item in stream`.

    It has what happens from the moment it was made on, and ends when the client is shut down. It is cancelled by
    `aclose`, by `cancel` from any thread, by leaving `async with`, by cancelling the task that waits for it, and when
    nobody holds it any more: after `break` out of `async for event in client.events()`, at once.

    A stream that is held in a variable goes on after a `break`: the next `async for` has what came meanwhile.
    """

    def __init__(self, feed: Feed[Item]) -> None:
        """Reads this feed; apps get their streams from the client."""
        self._feed = feed
        self._end = feed.cancel_handle()
        self._here: deque[Item] = deque()

    def __aiter__(self) -> Stream[Item]:
        """Itself."""
        return self

    async def __anext__(self) -> Item:
        """Waits for the next item."""
        if not self._here:
            try:
                self._here.extend(await self._feed.next(_BATCH))
            except BaseException:
                # Whoever stopped waiting, by cancelling or a timeout, may have lost a batch that was on its way:
                # rather an end that shows than a gap that does not.
                self.cancel()
                raise
        if not self._here or self._end.is_cancelled():
            self._here.clear()
            raise StopAsyncIteration
        return self._here.popleft()

    def cancel(self) -> None:
        """Ends it, from any thread. Whoever waits for it is told that it has ended."""
        self._end.cancel()

    async def aclose(self) -> None:
        """Ends it. Whoever waits for it is told that it has ended."""
        self.cancel()

    async def __aenter__(self) -> Stream[Item]:
        """Itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it."""
        self.cancel()
