"""What artifacts a run fetched and sent, beside what its host observed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from modelwright.compute.observing import MAX_FILES, MAX_HASHED_BYTES, Observed, hash_below


def hash_artifacts(root: Path, uses: Iterable[tuple[str, bool]], observed: Observed) -> None:
    """Add the artifacts that were fetched (True) or sent (False), as they lie below `root` now.

    What the run merely fetched into its working folder did not come from it, and is taken out of `written`.
    """
    for path, was_fetched in uses:
        found = observed.fetched if was_fetched else observed.sent
        if len(found) == MAX_FILES:
            observed.truncated = True
            continue
        file = hash_below(root, path, MAX_HASHED_BYTES)
        if file is not None:
            found.append(file)
    copies = {file.sha256 for file in observed.fetched}
    observed.written = [file for file in observed.written if file.sha256 not in copies]
