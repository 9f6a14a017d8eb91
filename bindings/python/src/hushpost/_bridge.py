"""How asynchronous calls are driven, in place of the generated code's way, which is unsafe at the process's end.

A call is a future of Rust's. It is polled here, and when it can go on, one of the library's threads calls back, which
wakes the event loop that polled it. When Python ends meanwhile, that thread is ended by force within the callback,
and that ends the whole process with SIGABRT: seen at one exit of four, of programs that did nothing wrong. So here it
is known which calls are under way and who is in a callback, and before Python ends all of them are waited for.

After a fork the library's threads are missing, so that a call would hang: it is refused instead.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import os
import threading
import time
from typing import Any

from hushpost._native import hushpost as native

# What is used here is no part of the stub.
generated: Any = native

PATIENCE = 5.0
"""Seconds that Python's end waits for callbacks, at most: an app's log sink may hang."""

FORKED = "hushpost was used before this process forked, and does not work here: start processes with 'spawn'"
ENDING = "Python is ending: shut the client down before"

_handles = itertools.count(1)
_waiting: dict[int, tuple[asyncio.AbstractEventLoop, asyncio.Future[int]]] = {}
_pending: dict[int, Any] = {}
"""Futures that are polled, each with the function that cancels it."""
_pending_lock = threading.Lock()
# An entry is the last thing that goes, by `del`, after which a thread keeps the interpreter's lock until it is out.
_inside: dict[object, None] = {}
"""One entry for every thread in a callback, or where there may be one."""
_used = False
_ending = False


async def _call(future: int, poll: Any, complete: Any, free: Any, lift: Any, errors: Any) -> Any:
    """Drives a future of Rust's to its end, or cancels it when this is cancelled."""
    global _used
    _used = True
    cancel = getattr(generated._UniffiLib, poll.__name__.replace("_poll_", "_cancel_"))
    with _pending_lock:
        _pending[future] = cancel
    try:
        loop = asyncio.get_running_loop()
        while True:
            woken = loop.create_future()
            _poll(poll, future, loop, woken)
            if await woken == generated._UNIFFI_RUST_FUTURE_POLL_READY:
                break
        return lift(generated._uniffi_rust_call_with_error(errors, complete, future))
    finally:
        _let_go(future, free)


def _poll(poll: Any, future: int, loop: asyncio.AbstractEventLoop, woken: asyncio.Future[int]) -> None:
    here = object()
    _inside[here] = None
    try:
        if _ending:
            if threading.current_thread() is threading.main_thread():
                raise RuntimeError(ENDING)
            # A thread that Python ends with: nobody waits for it.
            return
        handle = next(_handles)
        _waiting[handle] = (loop, woken)
        poll(future, _wake, handle)
    finally:
        del _inside[here]


def _let_go(future: int, free: Any) -> None:
    if _ending:
        return
    here = object()
    _inside[here] = None
    try:
        with _pending_lock:
            # Gone after a fork.
            if _pending.pop(future, None) is not None:
                free(future)
    finally:
        del _inside[here]


def _callback(handle: int, code: int) -> None:
    here = object()
    _inside[here] = None
    loop, woken = _waiting.pop(handle)
    if not _ending:
        try:
            loop.call_soon_threadsafe(_resume, woken, code)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            pass
    del _inside[here]


def _resume(woken: asyncio.Future[int], code: int) -> None:
    if not woken.done():
        woken.set_result(code)


def _at_exit() -> None:
    """Sees to it that none of the library's threads calls back any more."""
    global _ending
    sinks = generated._UniffiFfiConverterTypeLogSink._handle_map
    if len(sinks):
        generated.set_log_sink(None, generated.LogLevel.ERROR)
    _ending = True
    with _pending_lock:
        for future, cancel in _pending.items():
            # Calls back at once, here, and never again.
            cancel(future)
    give_up = time.monotonic() + PATIENCE
    while (_waiting or _inside or len(sinks)) and time.monotonic() < give_up:
        # Lets the others have the interpreter's lock. They cannot tell that they are done: that would be one more step.
        time.sleep(0.001)
    # Whoever let go of a sink has a step or two to go.
    time.sleep(0.001)


def _after_fork() -> None:
    global _pending_lock
    _pending_lock = threading.Lock()
    if not _used:
        # The child can be the one that does.
        return
    for state in (_waiting, _pending, _inside):
        state.clear()
    atexit.unregister(_at_exit)
    generated._uniffi_rust_call_with_error = _refuse


def _refuse(_errors: Any, function: Any, *_arguments: Any) -> None:
    # What the parent has is let go there, and closing its database here would harm it.
    if "_fn_free_" not in function.__name__:
        raise RuntimeError(FORKED)


# The generated code leaves its own check out: a library of another build would take arguments for something else.
generated._uniffi_check_api_checksums(generated._UniffiLib)
_wake = generated._UNIFFI_RUST_FUTURE_CONTINUATION_CALLBACK(_callback)
generated._uniffi_rust_call_async = _call
atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
