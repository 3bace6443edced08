"""`./modelwright backup` and `./modelwright restore`: for the installation in one data directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from modelwright.local import manage
from modelwright.local.backups import commands
from modelwright.local.backups.places import MLFLOW, PLATFORM, Places
from modelwright.local.backups.restoring import Refused
from modelwright.local.installation import from_environment
from modelwright.local.layout import Layout
from modelwright.local.state import is_held, read_platform


def backup(layout: Layout, target: Path) -> None:
    """Back up, whether the platform runs or not. Raises one of `commands.PROBLEMS`."""
    if not layout.secret_key.exists():
        raise Refused(f"There is no installation in {layout.data}. Name its data directory with --data-dir.")
    running = read_platform(layout) if is_held(layout) else None
    if running is not None:
        commands.backup(places(layout, running["environment"]), target)
        return
    with manage.servers(layout) as installation:
        commands.backup(places(layout, installation.environment()), target)


def restore(layout: Layout, path: Path, *, only_check: bool) -> None:
    """Put a backup into a data directory that holds nothing yet. Raises one of `commands.PROBLEMS`."""
    if is_held(layout):
        raise Refused(f"A platform runs on {layout.data}. Restore into an empty data directory.")
    if (layout.postgres / "data").exists():
        raise Refused(f"{layout.data} holds databases already. Restore into an empty data directory.")
    commands.prepare(places(layout, from_environment(layout).addresses()), path)
    if only_check:
        return
    with manage.servers(layout) as installation:
        environment = installation.environment()
        commands.restore(places(layout, environment), path, prepared=True)
        for arguments in commands.after_restore(path):
            if code := manage.call(arguments, environment):
                raise Refused(f"`manage {' '.join(arguments)}` ended with code {code}; what it said stands above.")
    commands.note(f"\nRestored into {layout.data}. Start it with `./modelwright up --data-dir {layout.data}`.")


def places(layout: Layout, environment: Mapping[str, str]) -> Places:
    """What belongs to the installation of this data directory, with the addresses of its processes."""
    return Places(
        data=layout.data,
        urls={MLFLOW: environment["MLFLOW_DATABASE_URL"], PLATFORM: environment["DATABASE_URL"]},
        secret_key=layout.secret_key,
        blobs=environment.get("MODELWRIGHT_BLOBS", ""),
    )
