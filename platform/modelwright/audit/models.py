"""Tables: what was done, and the seals over it.

No foreign keys: a row keeps ids and names as they were, also after the thing is gone.
"""

from __future__ import annotations

from django.db import models

from modelwright.core.models import BaseModel


class AuditEvent(BaseModel):
    """Who did what to which thing. Rows are only ever inserted; a trigger refuses UPDATE and DELETE."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    actor_id = models.UUIDField(null=True)
    actor_kind = models.CharField(max_length=16)
    actor_name = models.CharField(max_length=100)
    actor_role = models.CharField(max_length=100, blank=True, default="")
    token_id = models.UUIDField(null=True)
    action = models.CharField(max_length=64, db_index=True)
    target_kind = models.CharField(max_length=32)
    target_id = models.CharField(max_length=64)
    target_name = models.CharField(max_length=255)
    workspace_id = models.UUIDField(null=True, db_index=True)
    project_id = models.UUIDField(null=True, db_index=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True, default="")
    request_id = models.CharField(max_length=64, blank=True, default="")
    address = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["target_kind", "target_id"])]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.action} {self.target_name}"


class AuditSeal(models.Model):
    """One link of the chain: position, event, and the digest over the link before and the event."""

    position = models.BigIntegerField(primary_key=True)
    event_id = models.UUIDField(unique=True)
    digest = models.CharField(max_length=64)
    sealed_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.position}: {self.digest}"
