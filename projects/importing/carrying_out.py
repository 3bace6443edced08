"""The watcher's tick: carries imports out in the order in which they were asked for."""

from __future__ import annotations

import contextlib
import logging
import shutil
import subprocess
import threading
import time
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import connections
from django.utils import timezone

from modelwright.accounts.actors import Actor
from modelwright.core.errors import PlatformError
from projects import source
from projects.importing import transitions
from projects.importing.fetching import FETCH_SECONDS, PACK_SECONDS, PREFIX, Wanted, fetched, packed, tip_of
from projects.importing.running import Cancelled
from projects.importing.services import read_secret, take_over
from projects.importing.states import ImportState
from projects.models import SourceImport
from projects.source.git import GitRefused
from projects.source.incoming import incoming

logger = logging.getLogger(__name__)
MOST_AT_ONCE = 2
# Whoever carries an import out says so each second.
SILENT = timedelta(seconds=60)
_OLD_SECONDS = 4 * (FETCH_SECONDS + PACK_SECONDS)


class Importer:
    """Begins what waits, a few at once, each in a thread of its own: a slow server must hold up nothing else."""

    def __init__(self) -> None:
        self._under_way: dict[threading.Thread, SourceImport] = {}
        self._is_swept = False

    @property
    def is_busy(self) -> bool:
        """Whether anything is being carried out here."""
        return any(thread.is_alive() for thread in self._under_way)

    def tick(self) -> int:
        """Begin what waits; return how many were begun. Any number of processes may tick."""
        if not self._is_swept:
            _sweep(Path(settings.DATA_DIR) / "repositories")
            self._is_swept = True
        self._under_way = {thread: one for thread, one in self._under_way.items() if thread.is_alive()}
        transitions.see(self._under_way.values())
        transitions.give_up(timezone.now() - SILENT, "The process that imported it ended. Import again.")
        begun = 0
        while len(self._under_way) < MOST_AT_ONCE and (one := _claimed()) is not None:
            thread = threading.Thread(target=_in_thread, args=(one,), daemon=True, name=f"import-{one.pk}")
            self._under_way[thread] = one
            thread.start()
            begun += 1
        return begun


def carry_out(one: SourceImport) -> None:
    """Carry out an import that was begun, to whatever end."""
    try:
        _import(one)
    except Cancelled:
        logger.info("%s is not wanted any more", one)
    except PlatformError as error:
        transitions.fail(one, f"{error.message} {error.remedy}".strip())
    except (OSError, subprocess.SubprocessError, GitRefused):
        logger.exception("%s", one)
        transitions.fail(one, "Git broke off. Import again; where it stays like that, push the repository instead.")


def _claimed() -> SourceImport | None:
    waiting = SourceImport.objects.filter(state=ImportState.QUEUED).select_related("project__workspace", "maker")
    return next((one for one in waiting.order_by("id")[:MOST_AT_ONCE] if transitions.begin(one)), None)


def _in_thread(one: SourceImport) -> None:
    try:
        carry_out(one)
    except Exception:
        # Its row is given up once nobody says any more that it is being carried out.
        logger.exception("%s", one)
    finally:
        connections.close_all()


def _import(one: SourceImport) -> None:
    person = Actor.person(one.maker)
    wanted = Wanted(one.address, one.branch, one.username, read_secret(one, acting_user=person))
    with (
        fetched(wanted, source.repository_path(one.project).parent, lambda text: transitions.go_on(one, text)) as found,
        incoming(one.project) as new,
    ):
        imported = tip_of(found)
        if not transitions.go_on(one, "Checking what was received"):
            raise Cancelled
        with packed(found) as pack:
            new.unpack(pack)
        new.check_objects([imported])
        take_over(one, new, imported, acting_user=person)


def _sweep(repositories: Path) -> None:
    """Remove what imports left whose process was killed."""
    for folder in repositories.glob(f"{PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime < _OLD_SECONDS:
                continue
            shutil.rmtree(folder, ignore_errors=True)
