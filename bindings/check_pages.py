"""Keeps the code in the languages' pages equal to sources that are compiled and run.

In a source, a region stands between two comment lines, `page: NAME` and `page end`. In a page, the line
`<!-- from PATH#NAME -->` stands right before a fenced block, which then has that region's lines, dedented. PATH is
relative to this folder. Pages are the `.md` files of this folder and of the folders in it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

COMMENT = r"\s*(?://|#|--|/\*|<!--)\s*"
BEGIN = re.compile(COMMENT + r"page: (?P<name>[\w-]+)\s*(?:\*/|-->)?\s*$")
END = re.compile(COMMENT + r"page end\s*(?:\*/|-->)?\s*$")
FROM = re.compile(r"\s*<!-- from (?P<path>[^#\s]+)#(?P<name>[\w-]+) -->\s*$")
FENCE = re.compile(r"(?P<indent>\s*)(?P<fence>```+)")


class Wrong(Exception):
    """What is wrong with a page or a source, and where."""


def regions(source: Path) -> dict[str, list[str]]:
    """The regions of a source, dedented."""
    found: dict[str, list[str]] = {}
    name, lines = None, []
    for number, line in enumerate(source.read_text("utf-8").splitlines(), 1):
        if begin := BEGIN.match(line):
            if name is not None:
                raise Wrong(f"{source}:{number}: a region begins within `{name}`: end that with `page end` first")
            name, lines = begin["name"], []
            if name in found:
                raise Wrong(f"{source}:{number}: there are two regions `{name}`: rename one")
        elif END.match(line):
            if name is None:
                raise Wrong(f"{source}:{number}: `page end` ends nothing")
            found[name] = textwrap.dedent("\n".join(lines)).strip("\n").splitlines()
            name = None
        elif name is not None:
            lines.append(line.rstrip())
    if name is not None:
        raise Wrong(f"{source}: the region `{name}` has no `page end`")
    return found


def renewed(page: Path, root: Path) -> tuple[str, list[str]]:
    """A page with its sources copied in, and what was different before."""
    lines = page.read_text("utf-8").splitlines()
    made: list[str] = []
    different = []
    at = 0
    while at < len(lines):
        made.append(lines[at])
        origin = FROM.match(lines[at])
        at += 1
        if not origin:
            continue
        place = f"{page}:{at}"
        source = root / origin["path"]
        if not source.is_file():
            raise Wrong(f"{place}: there is no {source}")
        region = regions(source).get(origin["name"])
        if region is None:
            raise Wrong(
                f"{place}: {source} has no region `{origin['name']}`: add a comment line `page: {origin['name']}`"
            )
        fence = FENCE.match(lines[at]) if at < len(lines) else None
        if not fence:
            raise Wrong(f"{place}: no fenced block follows")
        close = fence["indent"] + fence["fence"]
        try:
            end = lines.index(close, at + 1)
        except ValueError:
            raise Wrong(f"{place}: the fenced block does not end") from None
        wanted = [(fence["indent"] + line).rstrip() for line in region]
        if lines[at + 1 : end] != wanted:
            different.append(f"{place}: this is not what {source}#{origin['name']} has: bindings/check-pages --write")
        made += [lines[at], *wanted, close]
        at = end + 1
    return "\n".join(made) + "\n", different


def pages(root: Path) -> Iterator[Path]:
    """All pages."""
    yield from sorted([*root.glob("*.md"), *root.glob("*/*.md")])


def check(root: Path, write: bool, chosen: list[Path]) -> int:
    """Checks pages, or writes them."""
    wrong = []
    for page in chosen:
        try:
            text, different = renewed(page, root)
        except Wrong as error:
            wrong.append(str(error))
            continue
        if write and different:
            page.write_text(text, "utf-8")
            print(f"{page}: written")
        elif not write:
            wrong += different
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong:
        count = sum(bool(FROM.match(line)) for page in chosen for line in page.read_text("utf-8").splitlines())
        print(f"check-pages: {count} blocks are as their sources")
    return 1 if wrong else 0


def self_test() -> int:
    """Tests this check."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "x").mkdir()
        source, page = root / "x" / "a.kt", root / "x" / "README.md"
        good = "fun a() {\n    // page: one\n    val b =\n        1\n\n    // page end\n}\n"
        shown = "# X\n\n<!-- from x/a.kt#one -->\n```kotlin\nval b =\n    1\n```\nmore\n"

        def outcome(code: str, text: str, write: bool = False) -> tuple[int, str]:
            source.write_text(code, "utf-8")
            page.write_text(text, "utf-8")
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                return check(root, write, list(pages(root))), page.read_text("utf-8")

        assert outcome(good, shown) == (0, shown)
        stale = shown.replace("val b", "val c")
        assert outcome(good, stale) == (1, stale)
        assert outcome(good, stale, write=True) == (0, shown)
        for code, text in (
            (good.replace("page: one", "page: two"), shown),
            (good.replace("// page end", ""), shown),
            (good + good, shown),
            ("// page end\n", shown),
            (good, shown.replace("x/a.kt", "x/b.kt")),
            (good, shown.replace("```kotlin", "kotlin")),
            (good, shown.replace("```\nmore", "more")),
        ):
            assert outcome(code, text) == (1, text), (code, text)
    print("check-pages: self-test passed")
    return 0


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="bindings/check-pages", description="Checks the code in the languages' pages."
    )
    parser.add_argument("--write", action="store_true", help="copy the sources into the pages")
    parser.add_argument("--self-test", action="store_true", help="test this check")
    parser.add_argument("page", nargs="*", type=Path, help="these pages, and not all")
    given = parser.parse_args()
    root = Path(__file__).resolve().parent
    return self_test() if given.self_test else check(root, given.write, given.page or list(pages(root)))


if __name__ == "__main__":
    sys.exit(main())
