"""`python -m tests.gateway.fuzz TARGET [libFuzzer's options]`: until it finds something, or as long as told."""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["models.gateway"]):
    from tests.gateway.fuzz.mutating import changed
    from tests.gateway.fuzz.targets import SEEDS, TARGETS


def main() -> None:
    """Fuzz the target that is named, beginning with what is right."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"name a target: {', '.join(TARGETS)}")
    name = sys.argv.pop(1)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.3:
            mutated: bytes = atheris.Mutate(data, max_size)
            return mutated
        return changed(data, chance, has_length=name == "v2_bytes")[:max_size]

    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(SEEDS[name]):
            (Path(folder) / f"seed-{number}").write_bytes(seed)
        atheris.Setup([*sys.argv, folder], TARGETS[name], custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
