"""Which library is measured, and where people for it come from."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))


def environment(folder: Path) -> dict[str, str]:
    """The environment for a process that measures.

    With HUSHPOST_RELEASE_LIB, the path of a library for release, it has the installed package with that library in
    place of its own; made in the folder.
    """
    made = dict(os.environ)
    library = os.environ.get("HUSHPOST_RELEASE_LIB")
    if library:
        import hushpost

        package = Path(hushpost.__file__).parent
        shutil.copytree(package, folder / "hushpost", ignore=shutil.ignore_patterns("*hushpost_ffi*"))
        (folder / "hushpost" / "_native" / Path(library).name).symlink_to(Path(library).resolve())
        made["PYTHONPATH"] = str(folder)
    return made


def table(title: str, rows: list[tuple[str, str]]) -> None:
    """Prints a table."""
    print(title)
    wide = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"  {name:<{wide}}  {value:>14}")
