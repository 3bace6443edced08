"""`python -m tests.gateway.fuzz TARGET… [libFuzzer's options]`: until it finds something, or as long as told.

`all` names every target. Several are fuzzed one after another, each in a process of its own. Files that are named, too,
are tried and nothing else: what an earlier run found.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["models.gateway"]):
    from tests.gateway.fuzz.mutating import changed
    from tests.gateway.fuzz.targets import SEEDS, TARGETS


def main() -> None:
    """Fuzz the targets that are named; ends with 1 where one found something."""
    words = sys.argv[1:]
    options = [word for word in words if word.startswith("-")]
    files = [word for word in words if Path(word).is_file()]
    named = [word for word in words if word not in options and word not in files]
    names = list(TARGETS) if named == ["all"] else named
    if not names or not set(names) <= set(TARGETS):
        sys.exit(f"name targets, or all: {', '.join(TARGETS)}")
    failed = [name for name in names if not _passes(name, options, files)]
    if failed:
        sys.exit(f"something was found in: {', '.join(failed)}")


def _passes(name: str, options: Sequence[str], files: Sequence[str]) -> bool:
    """Whether the target ended by its bound. libFuzzer ends the process in which it runs, so it gets one of its own."""
    print(f"fuzzing {name}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(SEEDS[name]):
            (Path(folder) / f"seed-{number}").write_bytes(seed)
        child = os.fork()
        if not child:
            try:
                _fuzz(name, [sys.argv[0], *options, *(files or [folder])])
            finally:
                os._exit(70)
        _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def _fuzz(name: str, arguments: list[str]) -> None:
    """Begin with what is right, and do not come back."""

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.3:
            mutated: bytes = atheris.Mutate(data, max_size)
            return mutated
        return changed(data, chance, has_length=name == "v2_bytes")[:max_size]

    atheris.Setup(arguments, TARGETS[name], custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
