"""Forms of what the REST of a project's files takes and answers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from projects import source
from projects.serializers import ChangedFileSerializer, CommitSerializer

_SHA = r"\A[0-9a-f]{40}\Z"


class ReferenceSerializer(serializers.Serializer[source.Reference]):
    """A branch or tag."""

    name = serializers.CharField()
    commit = serializers.CharField(help_text="The commit that it names.")
    at = serializers.DateTimeField()
    subject = serializers.CharField(help_text="The first line of the commit's or the tag's message.")


class ReferencesSerializer(serializers.Serializer[Any]):
    """Branches and tags, each newest first; at most 500 together."""

    branches = ReferenceSerializer(many=True)
    tags = ReferenceSerializer(many=True)


class VersionComparisonSerializer(serializers.Serializer[source.Comparison]):
    """What changed from one commit to another."""

    base = CommitSerializer()
    target = CommitSerializer()
    files = ChangedFileSerializer(many=True)
    patch = serializers.CharField(help_text="Unified diff.")
    patch_is_truncated = serializers.BooleanField(source="is_truncated")


class _OnTopSerializer(serializers.Serializer[Any]):
    """What every write of files says."""

    message = serializers.CharField(max_length=source.MAX_MESSAGE, help_text="What the commit does and why.")
    expected_head = serializers.RegexField(
        _SHA, help_text="The newest commit that you have seen; 409 where somebody committed after it."
    )


class RenameSerializer(_OnTopSerializer):
    """A file under another path."""

    path = serializers.CharField(max_length=400, trim_whitespace=False)
    new_path = serializers.CharField(max_length=400, trim_whitespace=False)


class RestorationSerializer(_OnTopSerializer):
    """A file, or all files, as they were."""

    commit = serializers.RegexField(_SHA, help_text="Full id of the commit that has the wanted version.")
    path = serializers.CharField(
        max_length=400,
        trim_whitespace=False,
        required=False,
        allow_blank=True,
        default="",
        help_text="The file to restore. Left out: all files; the new commit then has those of the old and no others.",
    )
