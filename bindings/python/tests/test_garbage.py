"""No call with garbage ends the process, panics or hangs: everything that is exported, in a process of its own."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

from stage import Stage

CALLS, SECONDS = 6000, 20
PROGRAM = Path(__file__).with_name("garbage.py")


def test_garbage_is_answered_by_a_value_or_an_error(stage: Stage, tmp_path: Path) -> None:
    seed = os.environ.get("HUSHPOST_SEED") or str(random.randrange(10**6))
    print(f"seed {seed}: set HUSHPOST_SEED to it to call the same again")
    command = [
        sys.executable,
        str(PROGRAM),
        seed,
        str(CALLS),
        str(SECONDS),
        str(tmp_path),
        stage.relay,
        stage.relay_name,
    ]
    with (tmp_path / "said").open("w+") as said, (tmp_path / "errors").open("w+") as errors:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=errors, timeout=10 * SECONDS, check=False
        )
        said.seek(0)
        errors.seek(0)
        print(said.read())
        wrong = errors.read()
        print(wrong)
    last = (tmp_path / "last").read_text("utf-8") if (tmp_path / "last").exists() else "none"
    assert ended.returncode >= 0, f"seed {seed}: ended by signal {-ended.returncode} in the call {last}"
    assert ended.returncode == 0, f"seed {seed}: see the findings; the last call was {last}"
    # A panic in the background reaches no call.
    assert "panicked at" not in wrong, f"seed {seed}"
