"""Tables: nodes (versions of things) and edges in the direction of data. A trigger refuses UPDATE and DELETE."""

from __future__ import annotations

from django.db import models

from modelwright.core.models import BaseModel


class Node(BaseModel):
    """One version of one thing. `project_id` is empty for what belongs to no project, such as public data.

    `attrs` is what was known when it was first added; a later addition of the same node changes nothing.
    """

    kind = models.CharField(max_length=32)
    project_id = models.UUIDField(null=True)
    namespace = models.CharField(max_length=255)
    name = models.CharField(max_length=500)
    version_digest = models.CharField(max_length=128, blank=True, default="")
    attrs = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "project_id", "namespace", "name", "version_digest"],
                name="lineage_node_identity",
                nulls_distinct=False,
            )
        ]
        indexes = [models.Index(fields=["project_id", "kind"], name="lineage_node_project")]

    def __str__(self) -> str:
        return f"{self.kind} {self.title}"

    @property
    def title(self) -> str:
        """What people read: the title among `attrs`, else the name."""
        return str(self.attrs.get("title") or self.name)


class Edge(BaseModel):
    """Data went from `src` to `dst`, as `origin` says that it is known."""

    src = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="+", db_index=False)
    dst = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=32)
    run_id = models.UUIDField(null=True)
    origin = models.CharField(max_length=16)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["src", "dst"], include=["kind"], name="lineage_edge_forward"),
            models.CheckConstraint(condition=~models.Q(src=models.F("dst")), name="lineage_edge_no_loop"),
        ]
        indexes = [models.Index(fields=["dst", "src"], include=["kind"], name="lineage_edge_backward")]

    def __str__(self) -> str:
        return f"{self.src_id} {self.kind} {self.dst_id}"
