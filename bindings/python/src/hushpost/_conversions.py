"""A repair of how the generated code writes values."""

from __future__ import annotations

from typing import Any

from hushpost._native import hushpost as native

# What is used here is no part of the stub.
_boolean: Any = vars(native)["_UniffiFfiConverterBoolean"]


def _write(value: object, buffer: Any) -> None:
    # The generated code writes the value itself, whatever it is, where 1 and 0 belong.
    buffer.write_u8(1 if value else 0)


_boolean.write = staticmethod(_write)
