"""REST forms of re-executions and receipts."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from models.predictions.models import ReceiptKey, Reexecution


class ReexecutionSerializer(serializers.ModelSerializer[Reexecution]):
    """A prediction made again. `difference` says what differs: how many records, by how much at most, examples."""

    outputs = serializers.ListField(child=serializers.JSONField(), read_only=True, allow_null=True)
    probabilities = serializers.ListField(child=serializers.JSONField(), read_only=True, allow_null=True)
    difference = serializers.DictField(read_only=True, allow_null=True)

    class Meta:
        model = Reexecution
        fields = [
            *("id", "created_at", "prediction_id", "model_version_id", "served_by", "requested_by"),
            *("state", "detail", "outputs", "probabilities", "difference", "finished_at"),
        ]
        read_only_fields = fields


class ReceiptSerializer(serializers.Serializer[Any]):
    """A receipt: digests of what was asked and answered and by what, and the signature over their canonical form."""

    payload = serializers.DictField()
    signature = serializers.CharField()


class ReceiptKeySerializer(serializers.ModelSerializer[ReceiptKey]):
    """The public half of a key that signed receipts, as PEM."""

    class Meta:
        model = ReceiptKey
        fields = ["key_id", "public_key", "created_at"]
        read_only_fields = fields


class ReceiptKeyListSerializer(serializers.Serializer[Any]):
    """Every key, the one in use first."""

    results = ReceiptKeySerializer(many=True)
