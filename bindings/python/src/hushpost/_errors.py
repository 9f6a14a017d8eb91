"""How errors print, and that all of them are of one kind."""

from __future__ import annotations

from hushpost._native import hushpost as native


class InternalError(native.HushpostError.Internal):
    """A call that the library could not answer at all: a fault of its own. Please report it.

    The generated code has an exception of this name that is none of the others' kind, with a text that may be
    anything; this one stands in its place.
    """

    def __init__(self, _text: str = "") -> None:
        """With the code `panic`."""
        super().__init__("panic", "a fault of the library; please report it", False)


def _show(self: native.HushpostError) -> str:
    return f"{self.reason} ({self.code})"


# Not written as assignments: a type checker knows no module or class whose parts change.
setattr(native, "InternalError", InternalError)
setattr(native.HushpostError, "__str__", _show)
