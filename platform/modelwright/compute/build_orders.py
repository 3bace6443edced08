"""What a host runs to build an environment, and what such a build may use."""

from __future__ import annotations

from dataclasses import dataclass, field

from modelwright.compute.models import GIB

BUILD_CPU = 1.0
BUILD_MEMORY_BYTES = 2 * GIB
BUILD_TIMEOUT_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Order:
    """A command with placeholders of `specs.make_spec`, and files beside it."""

    command: list[str]
    files: dict[str, str] = field(default_factory=dict)


ADDITIONS = "additions.txt"


def make_order(*, source: str, text: str, python: str, additions: str = "") -> Order:
    """A build of what `text` asks for, as the file `source` would: requirements, a project, or a lock.

    `additions` are requirements that are resolved together with those of a project.
    """
    return Order(
        command=[
            "{host-python}",
            "-I",
            # Which of the two programs it is depends on what the host runs workloads as.
            "{platform}/compute/environments/{builder}.py",
            *("--source", source, "--python", python),
            *("--environments", "{environments}", "--result", "result.json"),
            *(("--additions", ADDITIONS) if additions else ()),
        ],
        files={source: text, **({ADDITIONS: additions} if additions else {})},
    )
