"""REST forms of what starts jobs on a push."""

from __future__ import annotations

from rest_framework import serializers

from jobs.models import Push, PushStart
from jobs.pushes.selectors import address_of

_BRANCH = "Such as `main`; empty for every branch."


class PushStartSerializer(serializers.ModelSerializer[PushStart]):
    """What starts a job on a push. Its secret is never in it."""

    job = serializers.CharField(source="job.name", read_only=True)
    job_id = serializers.UUIDField(read_only=True)
    maker = serializers.CharField(
        source="maker.username", default=None, read_only=True, allow_null=True, help_text="Whose the runs are."
    )
    address = serializers.SerializerMethodField(help_text="Where to post pushes, empty for the project's repository.")

    class Meta:
        model = PushStart
        fields = [
            "id",
            "project",
            "name",
            "description",
            "via",
            "job",
            "job_id",
            "branch",
            "address",
            "maker",
            "is_active",
            "revision",
            "created_at",
        ]
        read_only_fields = fields

    def get_address(self, start: PushStart) -> str:
        """Where to post."""
        return address_of(start)


class NewPushStartSerializer(PushStartSerializer):
    """The same, with the secret, this once."""

    secret = serializers.CharField(read_only=True, allow_blank=True)

    class Meta(PushStartSerializer.Meta):
        fields = [*PushStartSerializer.Meta.fields, "secret"]
        read_only_fields = fields


class PushStartChangeSerializer(serializers.Serializer[PushStart]):
    """What may be changed of it."""

    description = serializers.CharField(required=False, allow_blank=True, max_length=5000)
    job = serializers.CharField(required=False, max_length=63, help_text="Name of a job of the project.")
    branch = serializers.CharField(required=False, allow_blank=True, max_length=255, help_text=_BRANCH)
    is_active = serializers.BooleanField(required=False)


class PushStartCreateSerializer(serializers.Serializer[PushStart]):
    """One to make."""

    name = serializers.CharField(max_length=63, help_text="Unique in the project: small letters, digits and hyphens.")
    via = serializers.ChoiceField(
        choices=PushStart.Via.choices, help_text="`git` is the project's own repository; the others post to `address`."
    )
    job = serializers.CharField(max_length=63, help_text="Name of a job of the project.")
    branch = serializers.CharField(required=False, allow_blank=True, max_length=255, help_text=_BRANCH)
    description = serializers.CharField(required=False, allow_blank=True, max_length=5000)


class PushSecretSerializer(serializers.Serializer[PushStart]):
    """A new secret, which is shown this once."""

    secret = serializers.CharField()


class PushSerializer(serializers.ModelSerializer[Push]):
    """A push that was told, and what came of it."""

    run = serializers.UUIDField(source="run_id", read_only=True, allow_null=True)

    class Meta:
        model = Push
        fields = ["id", "created_at", "branch", "commit", "outcome", "detail", "run", "address"]
        read_only_fields = fields
