"""`python -m modelwright.local.backups`: for servers that the environment names, as in containers.

backup FOLDER         back up into the folder, beside earlier backups
restore MANIFEST      put a backup into an installation that holds nothing yet
check MANIFEST        read everything that a backup names
show MANIFEST PATH    print one file of a backup
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from modelwright.core.addresses import address
from modelwright.local.backups import commands
from modelwright.local.backups.places import MLFLOW, PLATFORM, Places
from modelwright.local.layout import REPOSITORY, Layout


def main(words: list[str]) -> int:
    """Run one command. Returns the exit code."""
    match words:
        case ["backup", folder]:
            return commands.told(lambda: commands.backup(from_environment(), Path(folder)))
        case ["restore", manifest]:
            return commands.told(lambda: restore(Path(manifest)))
        case ["check", manifest]:
            return commands.told(lambda: commands.check(Path(manifest)))
        case ["show", manifest, path]:
            return commands.told(lambda: commands.show(Path(manifest), path))
    print(__doc__, file=sys.stderr)
    return 2


def from_environment() -> Places:
    """The installation that `MODELWRIGHT_DATA_DIR` and the addresses of both databases name."""
    layout = Layout.from_environment()
    return Places(
        data=layout.data,
        urls={MLFLOW: address("MLFLOW_DATABASE_URL"), PLATFORM: address("DATABASE_URL")},
        secret_key=Path(os.environ.get("MODELWRIGHT_SECRET_KEY_FILE") or layout.secret_key),
        blobs=os.environ.get("MODELWRIGHT_BLOBS", ""),
    )


def restore(path: Path) -> None:
    """Files, databases, and the tables of this release. Raises one of `commands.PROBLEMS`."""
    places = from_environment()
    commands.restore(places, path)
    for arguments in commands.after_restore(path):
        subprocess.run([sys.executable, "manage.py", *arguments], cwd=REPOSITORY, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
