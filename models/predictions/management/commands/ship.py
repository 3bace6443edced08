"""`manage.py ship`: the shipper of this host's predictions."""

from __future__ import annotations

import gc
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from models.predictions.shipping import run, spool_folder


class Command(BaseCommand):
    """Copies predictions from the gateways' spool into PostgreSQL until it is told to end."""

    help = "Copy predictions from the gateways' spool into PostgreSQL until SIGTERM."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Run until SIGTERM or SIGINT."""
        # Records leave no cycles behind; looking for some after every few records takes a fifth of the time.
        gc.set_threshold(100_000, 20, 50)
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        folder = spool_folder()
        self.stdout.write(f"shipping from {folder}")
        run(folder, stop)
