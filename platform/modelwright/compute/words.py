"""Sizes, labels and times as people read them."""

from __future__ import annotations

from collections.abc import Mapping

from modelwright.compute.models import GIB


def size_words(cpu: float, memory_bytes: int, gpus: int = 0, *, always_gpus: bool = False) -> str:
    """`2 CPUs, 4 GiB and 1 GPU`; GPUs only where there are any, or always."""
    parts = [_counted(max(cpu, 0), "CPU"), f"{max(memory_bytes, 0) / GIB:.3g} GiB"]
    if gpus or always_gpus:
        parts.append(_counted(gpus, "GPU"))
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def label_words(labels: Mapping[str, str]) -> str:
    """`the label gpu=h100`, `the labels gpu=h100 and quiet`."""
    words = [f"{name}={value}" if value else name for name, value in sorted(labels.items())]
    joined = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"
    return f"the label{'' if len(words) == 1 else 's'} {joined}"


def time_words(seconds: float) -> str:
    """`half a minute`, `4 minutes`, `3 hours`, `2 days`: as much as one can know beforehand."""
    if seconds < 45:
        return "half a minute"
    for unit, size, next_size in (("minute", 60, 90 * 60), ("hour", 3600, 36 * 3600), ("day", 86400, float("inf"))):
        if seconds < next_size:
            return _counted(max(1, round(seconds / size)), unit)
    return "long"


def _counted(number: float, noun: str) -> str:
    return f"{number:g} {noun}{'' if number == 1 else 's'}"
