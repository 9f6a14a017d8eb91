"""What all of the library's objects share: handles, and how a class of this layer comes to one."""

from __future__ import annotations

from typing import Any, TypeVar

from hushpost._native import hushpost as native

Made = TypeVar("Made")


def adopt(cls: type[Made], made: Any) -> Made:
    """An object of one of this layer's classes, made of one of the generated class that it adds to.

    It takes the handle over: a handle is let go once.
    """
    adopted: Any = cls.__new__(cls)
    adopted._handle = made._handle
    made._handle = None
    return adopted  # type: ignore[no-any-return]


def _itself(self: Any, _memo: Any = None) -> Any:
    return self


def _not_by_value(self: Any, _protocol: int) -> Any:
    raise TypeError(f"{type(self).__name__} lives in this process and cannot be pickled")


def _share_copies() -> None:
    # A copy would let go of the same handle once more, which ends the process.
    for name in native.__all__:
        cls = getattr(native, name)
        if hasattr(cls, "_uniffi_make_instance"):
            cls.__copy__ = _itself
            cls.__deepcopy__ = _itself
            cls.__reduce_ex__ = _not_by_value


_share_copies()
