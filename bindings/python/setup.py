"""Builds the wheel: the layer in `src/`, and beside it what is made from the Rust crate.

`bindings/generate` builds the library and writes `hushpost/_native/hushpost.py` from it. The library is the small one
that is shipped, unless `HUSHPOST_BUILT` names a folder with one that was built before.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
GENERATE = HERE.parent / "generate"

# A build's folder is not on the path when pip runs this file.
sys.path.insert(0, str(HERE))

from stubs import stub  # noqa: E402


class BuildWithLibrary(build_py):
    """Adds the generated code, its types and the library."""

    def run(self) -> None:
        super().run()
        if not GENERATE.exists():
            raise SystemExit("hushpost is built from a clone of its repository: there is no ../generate here")
        native = Path(self.build_lib) / "hushpost" / "_native"
        made = subprocess.run(
            ["bash", str(GENERATE), "python", str(native), "--release"], stdout=subprocess.PIPE, text=True, check=True
        )
        library = Path(made.stdout.splitlines()[-1])
        shutil.copy2(library, native / library.name)
        generated = native / "hushpost.py"
        (native / "hushpost.pyi").write_text(stub(generated.read_text("utf-8")), "utf-8")


class PlatformWheel(bdist_wheel):
    """The library is for one platform, and for any Python on it."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


class NoSource(sdist):
    """A source archive would lack the Rust crates."""

    def run(self) -> None:
        raise SystemExit("hushpost has no source archive: build a wheel, `pip wheel .`, from a clone of its repository")


class WithLibrary(Distribution):
    """Says that this is not pure Python."""

    def has_ext_modules(self) -> bool:
        return True


setup(
    distclass=WithLibrary,
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel, "sdist": NoSource},
)
