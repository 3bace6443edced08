"""Celery's tasks, counted."""

from __future__ import annotations

import time
from typing import Any

from celery import Task

from modelwright.core import counting


class CountedTask(Task):  # type: ignore[misc]  # Celery has no types
    """Counts how its calls end and how long they take. A worker's process tells after each call: there are few."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        began = time.monotonic()
        outcome = "failed"
        try:
            result = super().__call__(*args, **kwargs)
            outcome = "done"
            return result
        finally:
            counting.count(counting.TASKS, task=self.name, outcome=outcome)
            counting.observe(counting.TASK_SECONDS, time.monotonic() - began, task=self.name)
            if not self.request.called_directly:
                counting.flush()
