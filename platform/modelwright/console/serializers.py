"""REST forms of audit rows and the chain."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from modelwright.audit.models import AuditEvent
from modelwright.console.export import COLUMNS


class AuditEventSerializer(serializers.ModelSerializer[AuditEvent]):
    """Who did what to which thing."""

    class Meta:
        model = AuditEvent
        fields = list(COLUMNS)
        read_only_fields = fields


class ChainSerializer(serializers.Serializer[Any]):
    """The seal over the audit log. `verified` and `fault` are null unless `verify=true` was asked for."""

    length = serializers.IntegerField(help_text="Sealed rows.")
    unsealed = serializers.IntegerField(help_text="Rows that wait for the sealer.")
    last_digest = serializers.CharField()
    last_sealed_at = serializers.DateTimeField(allow_null=True)
    verified = serializers.BooleanField(allow_null=True)
    fault = serializers.CharField(allow_null=True, help_text="The first link that does not hold.")
