"""The Celery application. Tasks carry ids alone."""

import os
from typing import Any

from celery import Celery, bootsteps

from modelwright.core import pulse

PULSE_SECONDS = 2.0

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelwright.settings")
app = Celery("modelwright", task_cls="modelwright.observability.tasks:CountedTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


class PulseStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Gives the worker's sign of life from the loop that also takes its messages."""

    requires = {"celery.worker.components:Timer"}

    def start(self, parent: Any) -> None:
        """Begin when the worker's timer runs."""
        parent.timer.call_repeatedly(PULSE_SECONDS, pulse.beat)


app.steps["worker"].add(PulseStep)
