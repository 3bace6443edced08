"""Lines for a person who waits."""

import os
import sys
from dataclasses import dataclass


@dataclass
class Progress:
    """Counts steps: `[3/9] web … 1.2 s`. The launcher has done `done` of them before."""

    done: int = 0
    total: int = 0

    @classmethod
    def from_environment(cls) -> "Progress":
        """Go on where the launcher stopped counting."""
        done = int(os.environ.get("MODELWRIGHT_STEPS_DONE", "0"))
        return cls(done, done)

    def expect(self, steps: int) -> None:
        """There are so many steps more."""
        self.total += steps

    def step(self, text: str) -> None:
        """One more step is done."""
        self.done += 1
        self.note(f"[{self.done}/{max(self.total, self.done)}] {text}")

    def waiting(self, names: str) -> None:
        """Something takes long: say what."""
        self.note(f"      still waiting for {names}")

    def note(self, text: str) -> None:
        """A line that is no step. A closed terminal is no reason to stop."""
        try:
            print(text, flush=True)
        except (BrokenPipeError, OSError):
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - lives as long as the process
