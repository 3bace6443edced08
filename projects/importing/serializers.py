"""Forms of imports over REST."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from projects.importing.guarding import MOST_CHARACTERS
from projects.models import SourceImport


class ImportSerializer(serializers.ModelSerializer[SourceImport]):
    """An import."""

    state = serializers.CharField(
        read_only=True, help_text="`queued`, `running`, `succeeded`, `failed` or `cancelled`."
    )
    outcome = serializers.CharField(
        read_only=True,
        help_text="`forward`: the project is at the repository's newest commit. `joined`: a new commit has its files, "
        "with both histories behind it. `nothing-new`: the project had all of it already. Empty until it succeeded.",
    )
    progress = serializers.CharField(read_only=True, help_text="How far it is, while it is running.")
    notes = serializers.CharField(read_only=True, help_text="What of the repository did not come along.")
    problem = serializers.CharField(read_only=True, help_text="Why it failed, and what to do.")
    maker = serializers.CharField(source="maker.username", read_only=True)

    class Meta:
        model = SourceImport
        fields = [
            *("id", "project", "address", "branch", "username", "secret", "replace", "state", "progress", "maker"),
            *("created_at", "started_at", "ended_at", "commit", "imported", "outcome", "notes", "problem"),
        ]
        read_only_fields = fields


class ImportCreateSerializer(serializers.Serializer[Any]):
    """What to import."""

    address = serializers.CharField(
        max_length=MOST_CHARACTERS, help_text="https://… of a Git repository, without a user's name or password."
    )
    branch = serializers.CharField(
        max_length=120, required=False, allow_blank=True, help_text="Left out: the repository's main branch."
    )
    username = serializers.CharField(
        max_length=100, required=False, allow_blank=True, help_text="The name to sign in with; many servers take any."
    )
    secret = serializers.CharField(
        max_length=128,
        required=False,
        allow_blank=True,
        help_text="The project's secret variable that holds the password or token. Left out: a public repository.",
    )
    replace = serializers.BooleanField(
        required=False,
        help_text="Whether its files may take the place of what the project changed itself. Nothing goes from the "
        "project's history.",
    )
