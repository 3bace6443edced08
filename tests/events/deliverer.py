"""A deliverer in a process of its own, for tests that kill it."""

from __future__ import annotations

import ipaddress
import os
import sys
import time

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connections  # noqa: E402

from models.events import delivering, ordering  # noqa: E402

if __name__ == "__main__":
    connections["default"].settings_dict["NAME"] = sys.argv[1]
    settings.EVENT_SINK_NETWORKS = (ipaddress.ip_network("127.0.0.1"),)
    delivering.LEASE_SECONDS = 1.0
    print(os.getpid(), flush=True)
    deliverer = delivering.Deliverer()
    while True:
        ordering.tick()
        deliverer.tick()
        time.sleep(0.02)
