"""`manage.py watch`: what a host and the control plane do all the time. The loops stand in `modelwright.loops`."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils.module_loading import import_string

from modelwright.audit.selectors import newest_id
from modelwright.core.ticking import run_loops


class Command(BaseCommand):
    """Run the watcher's loops until SIGTERM or SIGINT."""

    help = "Watch over this host's workloads and turn the platform's loops, until stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose loops."""
        whose = parser.add_mutually_exclusive_group()
        whose.add_argument(
            "--host", dest="whose", action="store_const", const="host", help="only what a host does for itself"
        )
        whose.add_argument(
            "--central", dest="whose", action="store_const", const="central", help="only what one process does for all"
        )
        parser.set_defaults(whose="all")

    def handle(self, *args: Any, **options: Any) -> None:
        """See `help`."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        loops = import_string(settings.WATCHER_LOOPS[options["whose"]])
        self.stdout.write(f"watching: {', '.join(loop.name for loop in loops)}")
        # A host's own watcher may not read what is on record, and has no loop that rests.
        run_loops(loops, stop, None if options["whose"] == "host" else newest_id)
