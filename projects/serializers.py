"""REST forms of projects, their members, variables and files."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from modelwright.accounts.permissions import PROJECT_ROLE_CHOICES
from projects import source
from projects.models import Project, ProjectMembership
from projects.source import FileContent

MAX_DESCRIPTION = 5000


class ProjectSerializer(serializers.ModelSerializer[Project]):
    """A project."""

    workspace_name = serializers.CharField(source="workspace.name", read_only=True)
    prototype = serializers.CharField(read_only=True, help_text="The prototype it was started from, empty for none.")
    mlflow_workspace = serializers.CharField(
        read_only=True, help_text="The MLflow workspace that holds what its runs log."
    )

    class Meta:
        model = Project
        fields = [
            "id",
            "workspace",
            "workspace_name",
            "name",
            "description",
            "prototype",
            "default_branch",
            "mlflow_workspace",
            "revision",
            "created_at",
        ]
        read_only_fields = fields


class ProjectChangeSerializer(serializers.Serializer[Project]):
    """What may be changed of a project."""

    description = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_DESCRIPTION, help_text="What it is for, in plain text."
    )


class ProjectCreateSerializer(ProjectChangeSerializer):
    """A project to make."""

    name = serializers.CharField(max_length=63, help_text="Unique in the workspace: small letters, digits and hyphens.")
    prototype = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=63,
        help_text="Name of a prototype to start from, see `/prototypes/`. Left out: an empty project.",
    )


@extend_schema_serializer(component_name="ProjectMember")
class MemberSerializer(serializers.ModelSerializer[ProjectMembership]):
    """A person's role in a project."""

    username = serializers.CharField(source="user.username", read_only=True)
    full_name = serializers.CharField(source="user.full_name", read_only=True)

    class Meta:
        model = ProjectMembership
        fields = ["id", "username", "full_name", "role", "created_at"]
        read_only_fields = fields


@extend_schema_serializer(component_name="ProjectMemberSet")
class MemberSetSerializer(serializers.Serializer[ProjectMembership]):
    """The role to give."""

    role = serializers.ChoiceField(
        choices=PROJECT_ROLE_CHOICES,
        help_text=(
            "`viewer` sees; `operator` also starts runs, predicts and rolls back; `contributor` also commits and "
            "deploys; `admin` also administers members, endpoints and keys."
        ),
    )


class EntrySerializer(serializers.Serializer[source.Entry]):
    """One entry of a folder."""

    name = serializers.CharField()
    path = serializers.CharField()
    kind = serializers.ChoiceField(choices=["file", "folder", "link", "submodule"])
    size = serializers.IntegerField(allow_null=True, help_text="Bytes; null for a folder.")


class TreeSerializer(serializers.Serializer[Any]):
    """A folder of a commit."""

    commit = serializers.CharField()
    path = serializers.CharField()
    entries = EntrySerializer(many=True)


class FileSerializer(serializers.Serializer[Any]):
    """A file of a commit."""

    commit = serializers.CharField()
    path = serializers.CharField()
    digest = serializers.CharField(help_text="Git's id of the content.")
    size = serializers.IntegerField(help_text="Bytes.")
    encoding = serializers.ChoiceField(choices=["utf-8", "base64"])
    content = serializers.CharField()


def file_answer(commit: str, content: FileContent) -> dict[str, Any]:
    """The form of a file: text as it is, everything else in base64."""
    text = content.text
    return {
        "commit": commit,
        "path": content.path,
        "digest": content.digest,
        "size": content.size,
        "encoding": "base64" if text is None else "utf-8",
        "content": base64.b64encode(content.data).decode() if text is None else text,
    }


class CommitSerializer(serializers.Serializer[source.Commit]):
    """A commit."""

    sha = serializers.CharField()
    author = serializers.CharField(source="author.name")
    email = serializers.CharField(source="author.email")
    at = serializers.DateTimeField()
    parents = serializers.ListField(child=serializers.CharField())
    message = serializers.CharField()


class CommitPageSerializer(serializers.Serializer[Any]):
    """Commits, newest first."""

    results = CommitSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class ChangedFileSerializer(serializers.Serializer[source.ChangedFile]):
    """A file that a commit changed."""

    path = serializers.CharField()
    added = serializers.IntegerField(allow_null=True, help_text="Lines; null for a binary file.")
    removed = serializers.IntegerField(allow_null=True)


class CommitDetailSerializer(CommitSerializer):
    """A commit and what it changed."""

    files = ChangedFileSerializer(many=True)
    patch = serializers.CharField(help_text="Unified diff against the first parent.")
    patch_is_truncated = serializers.BooleanField()


class ChangeSerializer(serializers.Serializer[Any]):
    """A file to write or delete: exactly one of `content`, `content_base64` and `delete`."""

    path = serializers.CharField(max_length=400, trim_whitespace=False)
    content = serializers.CharField(
        required=False, allow_blank=True, trim_whitespace=False, help_text="The whole new content, as text."
    )
    content_base64 = serializers.CharField(
        required=False, allow_blank=True, help_text="The whole new content, as base64, for what is no text."
    )
    delete = serializers.BooleanField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Turn the change into `path` and `data`, None to delete."""
        given = [name for name in ("content", "content_base64") if name in attrs]
        if len(given) + bool(attrs.get("delete")) != 1:
            raise serializers.ValidationError("Give exactly one of content, content_base64 and delete.")
        if attrs.get("delete"):
            return {"path": attrs["path"], "data": None}
        if "content" in attrs:
            return {"path": attrs["path"], "data": attrs["content"].encode()}
        try:
            return {"path": attrs["path"], "data": base64.b64decode(attrs["content_base64"], validate=True)}
        except (binascii.Error, ValueError):
            raise serializers.ValidationError({"content_base64": "This is not base64."}) from None


class CommitCreateSerializer(serializers.Serializer[Any]):
    """Files to commit together."""

    message = serializers.CharField(max_length=source.MAX_MESSAGE, help_text="What the commit does and why.")
    expected_head = serializers.RegexField(
        r"\A[0-9a-f]{40}\Z",
        allow_null=True,
        help_text="The newest commit that you have seen; 409 where somebody committed after it.",
    )
    changes = serializers.ListField(child=ChangeSerializer(), min_length=1, max_length=source.MAX_CHANGES)

    def validate_changes(self, changes: list[dict[str, Any]]) -> dict[str, bytes | None]:
        """Each path once."""
        paths = [change["path"] for change in changes]
        if len(set(paths)) != len(paths):
            raise serializers.ValidationError("A path is given twice.")
        return {change["path"]: change["data"] for change in changes}


class ReportSerializer(serializers.Serializer[Any]):
    """What to know before using the model."""

    algorithm = serializers.CharField()
    fit = serializers.CharField()
    limits = serializers.CharField()


class StepSerializer(serializers.Serializer[Any]):
    """A declared step."""

    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=["run", "test", "deploy"])
    description = serializers.CharField()
    script = serializers.CharField()
    arguments = serializers.ListField(child=serializers.CharField())
    profile = serializers.CharField()
    timeout_seconds = serializers.IntegerField(allow_null=True)
    image = serializers.CharField()
    retries = serializers.IntegerField()
    inputs = serializers.ListField(child=serializers.CharField())
    model = serializers.CharField()
    endpoint = serializers.CharField()


class ManifestSerializer(serializers.Serializer[Any]):
    """The project's file that declares its steps, as it was understood."""

    name = serializers.CharField()
    description = serializers.CharField()
    report = ReportSerializer()
    steps = StepSerializer(many=True)
    graphs = serializers.DictField(help_text="Inference graphs by name, as docs/graphs.md says.")


class PrototypeSerializer(serializers.Serializer[Any]):
    """A project to start from."""

    name = serializers.CharField()
    description = serializers.CharField(source="manifest.description")
    report = ReportSerializer(source="manifest.report")
    steps = StepSerializer(source="manifest.steps", many=True)
    readme = serializers.CharField(help_text="The report in Markdown.")


class PrototypePageSerializer(serializers.Serializer[Any]):
    """The catalogue."""

    results = PrototypeSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
