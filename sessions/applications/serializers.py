"""What REST says of applications."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from sessions.applications.models import Application
from sessions.applications.starting import url_of

HEALTH = [(name, name) for name in ("stopped", "starting", "running", "unhealthy", "failed")]


class ApplicationSerializer(serializers.ModelSerializer[Application]):
    """An application."""

    created_by = serializers.CharField(source="created_by.username", read_only=True)
    profile = serializers.CharField(source="profile.name", read_only=True, allow_null=True, default=None)
    health = serializers.ChoiceField(HEALTH, read_only=True)
    url = serializers.SerializerMethodField(help_text="Where people reach it.")

    class Meta:
        model = Application
        fields = [
            "id",
            "name",
            "description",
            "project",
            "command",
            "branch",
            "commit",
            "profile",
            "created_by",
            "created_at",
            "health",
            "is_wanted",
            "is_public",
            "lets_viewers_in",
            "failures",
            "starts_at",
            "ready_at",
            "trouble",
            "url",
        ]
        read_only_fields = fields

    @extend_schema_field(str)
    def get_url(self, application: Application) -> str:
        """Its origin."""
        return url_of(application)


class ApplicationRequestSerializer(serializers.Serializer[Any]):
    """An application to make. `command` is a script with arguments, or a program of the project's packages."""

    name = serializers.CharField(max_length=63)
    command = serializers.CharField(max_length=1000)
    branch = serializers.CharField(required=False, allow_blank=True, max_length=120, default="")
    profile = serializers.CharField(required=False, allow_blank=True, max_length=63, default="")
    description = serializers.CharField(required=False, allow_blank=True, max_length=2000, default="")


class VisibilitySerializer(serializers.Serializer[Any]):
    """Whether everybody gets in who knows the address, without signing in."""

    is_public = serializers.BooleanField()


class ViewersSerializer(serializers.Serializer[Any]):
    """Whether viewers of the project get in as well, after signing in."""

    lets_viewers_in = serializers.BooleanField()
