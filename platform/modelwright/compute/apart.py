"""Workloads that should not share a host where there are several: if one host goes, the others of the group stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from django.db.models.fields.json import KT

from modelwright.compute.models import Host, Workload

HOLDING = ("placed", "starting", "running")


class Groups:
    """Of what waits, as one round sees it. A workload names its group in its spec (`apart`)."""

    def __init__(self) -> None:
        named = Workload.objects.annotate(group=KT("spec__apart"))
        queued = named.filter(state="queued", group__gt="")
        self._groups: dict[UUID, str] = dict(queued.values_list("pk", "group"))
        self._there: Counter[tuple[str, UUID | None]] = Counter()
        if self._groups:
            there = named.filter(state__in=HOLDING, cancel_requested_at=None, group__in=set(self._groups.values()))
            self._there.update(there.values_list("group", "host_id"))

    def loneliest(self, workload: Workload, hosts: Sequence[Host]) -> Sequence[Host]:
        """Those of the hosts that hold the fewest of its group, in the order given; all where it has none."""
        group = self._groups.get(workload.pk)
        if group is None or len(hosts) < 2:
            return hosts
        fewest = min(self._there[group, host.pk] for host in hosts)
        return [host for host in hosts if self._there[group, host.pk] == fewest]

    def placed(self, workload: Workload, host: Host) -> None:
        """It is on that host now."""
        if workload.pk in self._groups:
            self._there[self._groups[workload.pk], host.pk] += 1
