"""Expositions of several processes in Prometheus' text format, made into one."""

from __future__ import annotations

from collections.abc import Iterable

# What is one thing seen by each process, not a part that each of them has; so is all that replicas say of themselves.
LOWEST = frozenset({"modelwright_gateway_routes_revision"})
HIGHEST = frozenset(
    {"modelwright_gateway_spool_bytes", "modelwright_gateway_replicas_connected", "modelwright_gateway_refusing"}
)

OF_REPLICAS = ("modelwright_replica_", "modelwright_model_")

_Family = tuple[list[str], dict[str, float]]


def merge(expositions: Iterable[bytes]) -> bytes:
    """One exposition: counters, histograms and gauges are added up, but for `LOWEST` and `HIGHEST`.

    Lines are those the gateway writes: a `# TYPE` before the samples of each name, and no time stamps.
    """
    families: dict[str, _Family] = {}
    for exposition in expositions:
        _add(families, exposition.decode())
    lines = [line for comments, samples in families.values() for line in (*comments, *map(_line, samples.items()))]
    return ("\n".join(lines) + "\n").encode() if lines else b""


def counters_only(exposition: bytes) -> bytes:
    """Without gauges and without what replicas said: what of a process that has ended still counts."""
    kept, keep = [], True
    for line in exposition.decode().splitlines():
        if line.startswith("# TYPE "):
            keep = not line.endswith(" gauge") and not line.split(" ")[2].startswith(OF_REPLICAS)
        if keep and not line.startswith("# HELP "):
            kept.append(line)
    return ("\n".join(kept) + "\n").encode()


def _add(families: dict[str, _Family], text: str) -> None:
    comments: list[str] = []
    name, samples = "", families.setdefault("", ([], {}))[1]
    for line in text.splitlines():
        if line.startswith("#"):
            comments.append(line)
            if line.startswith("# TYPE "):
                name = line.split(" ")[2]
                samples = families.setdefault(name, (comments, {}))[1]
                comments = []
        elif line:
            key, _, value = line.rpartition(" ")
            samples[key] = _combined(name, samples.get(key), float(value))


def _combined(name: str, before: float | None, value: float) -> float:
    if before is None:
        return value
    if name in LOWEST:
        return min(before, value)
    return max(before, value) if name in HIGHEST or name.startswith(OF_REPLICAS) else before + value


def _line(sample: tuple[str, float]) -> str:
    key, value = sample
    return f"{key} {int(value) if value.is_integer() else repr(value)}"
