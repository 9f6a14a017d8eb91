"""How records and variants print and compare.

The generated code prints all fields of every record, among them what users wrote, tokens and names, although the
library says for each of these how it may be printed. Here `str` and `repr` are made the same: what the library says,
where it says something, and the fields otherwise.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Any

from hushpost._native import hushpost as native


def _printable() -> Iterator[type[Any]]:
    """All records, and the variants of all enums that have fields."""
    for name in native.__all__:
        cls = getattr(native, name)
        if not isinstance(cls, type) or issubclass(cls, (BaseException, enum.Enum)):
            continue
        variants = [each for each in vars(cls).values() if isinstance(each, type) and issubclass(each, cls)]
        if variants:
            yield from variants
        elif "__str__" in vars(cls):
            yield cls


def _says_itself(representation: Callable[[Any], str]) -> bool:
    """Whether the library says how it is printed."""
    code = getattr(representation, "__code__", None)
    return code is not None and any(name.endswith("_uniffi_trait_debug") for name in code.co_names)


def _guarded(said: Callable[[Any], str], name: str) -> Callable[[Any], str]:
    def show(self: Any) -> str:
        try:
            return said(self)
        except Exception:
            # A field that is not of its type: printing, in a log or a debugger, is no place to say so.
            return f"{name}(…)"

    return show


def _fields(name: str) -> Callable[[Any], str]:
    def show(self: Any) -> str:
        return f"{name}({', '.join(f'{field}={value!r}' for field, value in vars(self).items())})"

    return show


def _comparable(equal: Callable[[Any, Any], Any], cls: type[Any]) -> Callable[[Any, object], Any]:
    def __eq__(self: Any, other: object) -> Any:
        return equal(self, other) if isinstance(other, cls) else NotImplemented

    return __eq__


def _set_up() -> None:
    for cls in _printable():
        # Not written as attributes: a type checker knows no class whose methods change.
        said, equal = getattr(cls, "__repr__"), getattr(cls, "__eq__")
        show = _guarded(said, cls.__name__) if _says_itself(said) else _fields(cls.__name__)
        for method, made in (("__repr__", show), ("__str__", show), ("__eq__", _comparable(equal, cls))):
            setattr(cls, method, made)
    # The one record that apps look things up by.
    setattr(native.MessageRef, "__hash__", lambda self: hash((self.sender, self.id)))


_set_up()
