"""`./modelwright demo`."""

from modelwright.local.installation import Installation
from modelwright.local.progress import Progress


def run(installation: Installation, progress: Progress, *, leave: bool) -> int:
    raise SystemExit((installation, progress, leave))
