"""Parts of texts: the library counts in bytes of UTF-8, Python in characters."""

from __future__ import annotations

from hushpost._native.hushpost import TextRange


def slice_of(text: str, part: TextRange) -> slice:
    """A part of a text as a slice: `text[slice_of(text, hit.highlights[0])]`.

    A place beyond the text's end is its end, and one within a character is that character's beginning.
    """
    encoded = _encoded(text)
    return slice(_characters(encoded, part.start), _characters(encoded, part.end))


def range_of(text: str, start: int, end: int) -> TextRange:
    """A part of a text, from one character up to, not with, another, as the library takes it: for mentions."""
    return TextRange(start=len(_encoded(text[:start])), end=len(_encoded(text[:end])))


def _encoded(text: str) -> bytes:
    # A lone surrogate is no text to the library, but neither is it a reason to fail here.
    return text.encode("utf-8", "surrogatepass")


def _characters(encoded: bytes, place: int) -> int:
    continuation = range(0x80, 0xC0)
    place = min(place, len(encoded))
    while 0 < place < len(encoded) and encoded[place] in continuation:
        place -= 1
    return len(encoded[:place].decode("utf-8", "surrogatepass"))
