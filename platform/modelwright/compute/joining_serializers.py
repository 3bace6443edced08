"""REST forms of joining and removing."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from modelwright.compute.models import Host, JoinToken


class JoinTokenSerializer(serializers.ModelSerializer[JoinToken]):
    """A token with which one machine may join."""

    state = serializers.CharField(read_only=True, help_text="`open`, `used`, `revoked` or `expired`.")
    labels = serializers.DictField(child=serializers.CharField(), read_only=True)
    host = serializers.CharField(source="host.name", default=None, read_only=True, allow_null=True)

    class Meta:
        model = JoinToken
        fields = ["id", "state", "labels", "created_by", "created_at", "expires_at", "used_at", "revoked_at", "host"]
        read_only_fields = fields


class JoinTokenCreateSerializer(serializers.Serializer[JoinToken]):
    """A token to make."""

    labels = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=63),
        required=False,
        help_text="Labels that the host gets, such as `disk: ssd`.",
    )


class NewJoinTokenSerializer(serializers.Serializer[Any]):
    """A new token, its text, and the command to give on the new machine. The text is never to be had again."""

    id = serializers.UUIDField()
    token = serializers.CharField()
    command = serializers.CharField()
    expires_at = serializers.DateTimeField()


class JoinSerializer(serializers.Serializer[Host]):
    """A machine that wants to join."""

    token = serializers.CharField(max_length=200)
    name = serializers.CharField(max_length=63, help_text="The host's name here, such as the machine's own.")
    backend = serializers.ChoiceField(choices=["process", "docker", "swarm"], default="process")
    address = serializers.CharField(
        required=False, allow_blank=True, max_length=255, default="", help_text="Where other hosts reach it."
    )


class JoinedSerializer(serializers.Serializer[Any]):
    """What a host needs to work. It is as secret as the platform itself."""

    host_id = serializers.UUIDField()
    name = serializers.CharField()
    labels = serializers.DictField(child=serializers.CharField())
    web_url = serializers.CharField()
    gateway_url = serializers.CharField(allow_blank=True, help_text="Where what runs there asks endpoints.")
    database_url = serializers.CharField()
    redis_url = serializers.CharField()
    blobs = serializers.CharField()
    blobs_credentials = serializers.CharField(allow_blank=True)
    secret_key = serializers.CharField()


class HostRemovalSerializer(serializers.Serializer[Host]):
    """How to remove a host."""

    force = serializers.BooleanField(required=False, default=False, help_text="Lose what runs there.")
