"""The way in: one client for one account on this device."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType

from hushpost._media import Media
from hushpost._native import hushpost as native
from hushpost._objects import adopt
from hushpost._streams import Stream


class Config(native.Config):
    """Where a client keeps its data, which relay it speaks to, and the few things that apps choose.

    Only `database`, `key` and `relay` have to be given. The database's path may be a `pathlib.Path`.
    """

    def __init__(
        self,
        *,
        database: str | os.PathLike[str],
        key: native.DatabaseKey,
        relay: str,
        relay_name: str | None = None,
        insecure_relay: bool = False,
        hold_back: native.Duration | None = None,
        receipt_delay: native.Duration | None = None,
        read_receipts: bool = True,
        pre_key_stock: int | None = None,
        max_file_bytes: int | None = None,
        media_cache: native.MediaCache | None = None,
        many_processes: bool = False,
    ) -> None:
        """See the fields."""
        super().__init__(
            database=os.fspath(database),
            key=key,
            relay=relay,
            relay_name=relay_name,
            insecure_relay=insecure_relay,
            hold_back=hold_back,
            receipt_delay=receipt_delay,
            read_receipts=read_receipts,
            pre_key_stock=pre_key_stock,
            max_file_bytes=max_file_bytes,
            media_cache=media_cache,
            many_processes=many_processes,
        )


class Client(native.Client):
    """An account on this device. Local things work offline.

    Safe to use from any thread, and from several at once, each with an event loop of its own. It stays connected until
    it is shut down, even if nobody holds it any more: use `session`, or `async with`.
    """

    @classmethod
    async def open(cls, config: native.Config) -> Client:
        """Opens the database, or makes it. Nothing is sent.

        Errors: `Store`: the wrong key, damage, and a newer version's database are told apart, and nothing is ever
        deleted; `Invalid` for a URL that is none.
        """
        return adopt(cls, await super().open(config))

    @classmethod
    @asynccontextmanager
    async def session(cls, config: native.Config) -> AsyncIterator[Client]:
        """Opens a client, and shuts it down at the end: `async with Client.session(config) as client`."""
        async with await cls.open(config) as client:
            yield client

    async def __aenter__(self) -> Client:
        """Itself: `async with await Client.open(config) as client`."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Shuts it down."""
        await self.shut_down()

    def events(self) -> Stream[native.Event]:
        """What happens from now on. Events are hints: the database is the truth."""
        return Stream(self.event_stream())

    def connection_states(self) -> Stream[native.ConnectionState]:
        """The connection's state now, and every change."""
        return Stream(self.connection_state_stream())

    def conversation_list(self, archived: bool = False) -> Stream[native.ListChange]:
        """The list of conversations, whole at first, and then all its changes."""
        return Stream(self.conversation_list_stream(archived))

    def media(self) -> Media:
        """Files: uploading, fetching, saving."""
        return adopt(Media, super().media())
