"""Garbage of every type that the library's functions take."""

from __future__ import annotations

import datetime
import enum
import random
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hushpost import HushpostError, LogSink
from hushpost._native import hushpost as native

# What a caller can do by mistake or by passing on what a stranger wrote.
STRINGS = (
    "",
    " ",
    "x",
    "a" * 1025,
    "x" * 2**20,
    "é" * 40_000,
    "\0",
    "a\0b",
    "\ud800",
    "\ud83d alone",
    "\udcff",
    "\ufeff",
    "../../../../etc/passwd",
    "..",
    "\r\n\t\x1b[2J\x07",
    "\u202egnp.exe",
    "\u200f\u200e\u2066",
    "👨‍👩‍👧‍👦" * 100,
    "e" + "\u0301" * 5000,
    "' OR 1=1; --",
    'a* OR "b" NEAR(c) -',
    "%s%n{}$(x)",
    "None",
    "-1",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "18446744073709551616",
)
URLS = (
    "ws://127.0.0.1:9",
    "wss://localhost:1/",
    "ws://[::1]:9",
    "ws://user:secret@localhost:9/?a#b",
    "http://127.0.0.1/",
    "http://169.254.169.254/latest",
    "http://[::ffff:127.0.0.1]/",
    "https://0x7f.1/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://",
    "https://xn--/",
    "http://" + "a." * 2000 + "invalid",
    "ws://localhost:99999",
    "gopher://x",
)
INTS = (
    0,
    1,
    -1,
    2,
    127,
    128,
    255,
    256,
    500,
    501,
    2**15,
    2**16,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**63,
    2**64,
    -(2**63),
)
FLOATS = (0.0, -0.0, 90.0, -180.5, 1e308, float("inf"), float("-inf"), float("nan"), 5e-324)
TIMES = (
    datetime.timedelta(0),
    datetime.timedelta(microseconds=1),
    datetime.timedelta(seconds=1),
    datetime.timedelta(days=366, seconds=1),
    datetime.timedelta.max,
    datetime.timedelta.min,
    datetime.timedelta(seconds=-1),
)
MOMENTS = (
    datetime.datetime.min,
    datetime.datetime.max.replace(tzinfo=datetime.timezone.utc),
    datetime.datetime.min.replace(tzinfo=datetime.timezone.utc),
    datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc),
)
BYTES = (
    b"",
    b"\0",
    b"x" * 31,
    b"x" * 32,
    b"\xff" * 33,
    bytes(16 * 1024 + 1),
    bytes(2**20),
    b"\xff\xd8\xff\xe0JFIF",
    b"\x89PNG\r\n\x1a\n",
)
WRONG: tuple[Any, ...] = (
    None,
    object(),
    1.5,
    "text",
    b"bytes",
    7,
    [],
    [None],
    {},
    (),
    True,
    Ellipsis,
    lambda: None,
    type,
)

Values = dict[str, list[Any]]


class RudeSink(LogSink):
    """A log sink that fails."""

    def log(self, line: native.LogLine) -> None:
        """Throws what it may, and what it may not."""
        raise random.choice((HushpostError.Internal("x", "y", False), ValueError("no"), KeyError()))


class Garbage:
    """Makes values of a type: mostly of that type, rarely right, sometimes of another one."""

    def __init__(self, rng: random.Random, inputs: list[str], outputs: list[str]) -> None:
        self.rng = rng
        self.inputs = inputs
        self.outputs = outputs
        # What is right: ids that are known, objects by class.
        self.known: list[str] = []
        self.objects: dict[type, list[Any]] = {native.LogSink: [RudeSink()]}

    def keep(self, made: Any) -> None:
        """Takes what a call gave into the pool."""
        if isinstance(made, list):
            for each in made[:4]:
                self.keep(each)
        elif isinstance(made, str) and 0 < len(made) < 200:
            self._put(self.known, made)
        elif hasattr(made, "_uniffi_make_instance"):
            for cls in type(made).__mro__:
                if cls.__module__ == native.__name__ and not cls.__name__.endswith("Protocol"):
                    self._put(self.objects.setdefault(cls, []), made)

    def age(self) -> None:
        """Of what there was until now, keeps one of each: what a client had that was shut down."""
        for pool in self.objects.values():
            del pool[:-1]
        del self.known[:-2]

    def _put(self, pool: list[Any], made: Any) -> None:
        if len(pool) < 24:
            pool.append(made)
        else:
            pool[self.rng.randrange(len(pool))] = made

    def arguments(self, function: Callable[..., Any], *, output: bool = False) -> dict[str, Any]:
        """For each parameter a value."""
        hints = typing.get_type_hints(function)
        hints.pop("return", None)
        made = {name: self.value(kind, name, output=output) for name, kind in hints.items()}
        if self.rng.random() < 0.01 and made:
            made.pop(self.rng.choice(list(made)))
        return made

    def value(self, kind: Any, name: str = "", depth: int = 0, *, output: bool = False) -> Any:
        """A value of this type, or nearly."""
        rng = self.rng
        if rng.random() < 0.03:
            return rng.choice(WRONG)
        origin = typing.get_origin(kind)
        if origin in (typing.Union, types.UnionType):
            inner = [each for each in typing.get_args(kind) if each is not type(None)]
            return None if rng.random() < 0.4 else self.value(inner[0], name, depth, output=output)
        if origin is list:
            (inner_kind,) = typing.get_args(kind)
            return [
                self.value(inner_kind, name, depth + 1)
                for _ in range(rng.choice((0, 1, 1, 2, 3, 65)) if depth < 3 else 0)
            ]
        if kind is str:
            return self._text(name, output)
        plain: dict[Any, tuple[Any, ...]] = {
            int: INTS,
            float: FLOATS,
            bytes: BYTES,
            bool: (True, False, 2, ""),
            datetime.timedelta: TIMES,
            datetime.datetime: MOMENTS,
        }
        if kind in plain:
            return rng.choice(plain[kind])
        return self._made(kind, depth)

    def _text(self, name: str, output: bool) -> str:
        rng = self.rng
        if name == "database":
            return rng.choice(self.outputs)
        if name == "path":
            return rng.choice(self.outputs if output else self.inputs)
        if name in ("url", "relay") and rng.random() < 0.7:
            return rng.choice(URLS)
        if self.known and rng.random() < 0.5:
            return rng.choice(self.known)
        text = rng.choice(STRINGS)
        if rng.random() < 0.3 and self.known:
            at = rng.choice(self.known)
            cut = rng.randrange(len(at) + 1)
            text = at[:cut] + text[:50] + at[cut:]
        return text

    def _made(self, kind: Any, depth: int) -> Any:
        rng = self.rng
        if issubclass(kind, enum.Enum):
            return rng.choice(list(kind))
        if pool := self.objects.get(kind):
            return rng.choice(pool)
        variants = [each for each in vars(kind).values() if isinstance(each, type) and issubclass(each, kind)]
        if variants:
            kind = rng.choice(variants)
        elif "__str__" not in vars(kind):
            # An object of which there is none yet.
            return None
        hints = typing.get_type_hints(kind.__init__, vars(native))
        hints.pop("return", None)
        made = kind(**{name: self.value(each, name, depth + 1) for name, each in hints.items()})
        if rng.random() < 0.02 and hints:
            setattr(made, rng.choice(list(hints)), rng.choice(WRONG))
        return made


def places(folder: Path) -> tuple[list[str], list[str]]:
    """Paths to read from, of any kind, and paths to write to: all of the latter within the folder."""
    (folder / "file.txt").write_text("some text")
    (folder / "empty").touch()
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    (folder / "garbage.db").write_bytes(bytes(range(256)) * 64)
    (folder / "folder").mkdir()
    (folder / "unreadable").touch(mode=0)
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nowhere")
    inside = [str(each) for each in folder.iterdir()]
    outputs = [
        *inside,
        str(folder),
        "",
        ".",
        str(folder / "missing" / "x"),
        str(folder / ("n" * 300)),
        "a\0b",
        "relative",
    ]
    outputs += [
        str(folder) + "/deep" * 1500,
        str(folder / "new.db"),
        str(folder / "\ud800"),
        str(folder / "file.txt" / "x"),
    ]
    special = [
        "/dev/null",
        "/dev/full",
        "/dev/zero",
        "/proc/self/mem",
        "/proc/self/environ",
        "/proc/self/fd/0",
        "/",
        "/dev",
    ]
    return [*outputs, *special, *STRINGS], outputs
