"""`manage.py watch`: what one host does all the time. Which loops those are stands in `modelwright.loops`."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

from modelwright.core.ticking import run_loops


class Command(BaseCommand):
    """Run the watcher's loops until SIGTERM or SIGINT."""

    help = "Watch over this host's workloads and turn the platform's loops, until stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        """See `help`."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        loops = import_string(settings.WATCHER_LOOPS)
        self.stdout.write(f"watching: {', '.join(loop.name for loop in loops)}")
        run_loops(loops, stop)
