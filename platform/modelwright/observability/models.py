"""Tables: what processes counted."""

from __future__ import annotations

from django.db import models


class Count(models.Model):
    """The sum of one series over all processes, see `core.counting`. `labels` is JSON: `[["route", "home"], …]`.

    Bookkeeping of the platform's own: no service writes it and nothing is audited.
    """

    name = models.CharField(max_length=100)
    labels = models.CharField(max_length=500)
    part = models.CharField(max_length=20)
    value = models.FloatField(default=0.0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "labels", "part"], name="count_series")]

    def __str__(self) -> str:
        return f"{self.name} {self.labels} {self.part}"
