"""REST forms of sinks, dead letters and the stream."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework import serializers

from models.events.facts import shown_url
from models.events.models import DeadLetter, Family, Sink
from models.events.services import NEWEST, OLDEST

MOST_LETTERS = 1000


class SinkSerializer(serializers.ModelSerializer[Sink]):
    """A sink, of a `project` or of a whole `workspace`. Of its address everybody sees what stands before `?`; its
    secret nobody sees again."""

    url = serializers.SerializerMethodField()
    families = serializers.ListField(child=serializers.ChoiceField(choices=Family.choices), read_only=True)
    endpoint_ids = serializers.ListField(child=serializers.UUIDField(), read_only=True)

    class Meta:
        model = Sink
        fields = [
            *("id", "name", "description", "project", "workspace", "url", "mode", "families", "endpoint_ids"),
            *("state", "detail"),
            *("position", "delivered", "delivered_at", "missed", "failures", "failing_since", "last_error"),
            *("next_attempt_at", "created_by", "created_at"),
        ]
        read_only_fields = fields

    def get_url(self, sink: Sink) -> str:
        """The address without what may be a password."""
        return shown_url(sink.url)


class SinkDetailSerializer(SinkSerializer):
    """A sink and how far it is: `waiting` counts what the stream has for it, since `waiting_since`."""

    waiting = serializers.SerializerMethodField()
    waiting_since = serializers.SerializerMethodField()
    open_letters = serializers.SerializerMethodField()

    class Meta(SinkSerializer.Meta):
        fields = [*SinkSerializer.Meta.fields, "waiting", "waiting_since", "open_letters"]
        read_only_fields = fields

    def get_waiting(self, sink: Sink) -> int:
        """Things of the stream that are still to be sent."""
        return int(self.context["progress"].waiting)

    def get_waiting_since(self, sink: Sink) -> datetime | None:
        """When the first of them was stored."""
        since: datetime | None = self.context["progress"].waiting_since
        return since

    def get_open_letters(self, sink: Sink) -> int:
        """Events that the sink did not take and that are not settled."""
        return int(self.context["progress"].open_letters)


class NewSinkSerializer(SinkSerializer):
    """A sink that was just made, with its secret, this once."""

    secret = serializers.CharField(read_only=True)

    class Meta(SinkSerializer.Meta):
        fields = [*SinkSerializer.Meta.fields, "secret"]
        read_only_fields = fields


class SinkChangeSerializer(serializers.Serializer[Sink]):
    """What may be changed of a sink."""

    description = serializers.CharField(required=False, allow_blank=True, max_length=5000)
    url = serializers.CharField(required=False, max_length=1000)
    mode = serializers.ChoiceField(required=False, choices=Sink.Mode.choices)
    families = serializers.ListField(
        required=False, child=serializers.ChoiceField(choices=Family.choices), min_length=1, max_length=20
    )
    endpoint_ids = serializers.ListField(required=False, child=serializers.UUIDField(), max_length=1000)


class SinkCreateSerializer(SinkChangeSerializer):
    """A sink to add. `start`: with what comes from now on, or with the oldest event that the stream still has."""

    name = serializers.CharField(max_length=63)
    url = serializers.CharField(max_length=1000)
    start = serializers.ChoiceField(required=False, choices=(NEWEST, OLDEST), default=NEWEST)


class SecretSerializer(serializers.Serializer[Any]):
    """A new secret, this once."""

    secret = serializers.CharField()


class SinkReasonSerializer(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)


class SinkTestSerializer(serializers.Serializer[Any]):
    """What a sink said to a test event."""

    taken = serializers.BooleanField(help_text="Whether it answered with 2xx.")
    status = serializers.IntegerField(allow_null=True, help_text="Its status, none where it did not answer.")
    detail = serializers.CharField(help_text="The same in words.")


class DeadLetterSerializer(serializers.ModelSerializer[DeadLetter]):
    """An event that a sink did not take, or one that waits behind such a one of its key."""

    class Meta:
        model = DeadLetter
        fields = [
            *("id", "event_id", "type", "key", "position", "state", "reason", "attempts"),
            *("settled_by", "settled_at", "created_at"),
        ]
        read_only_fields = fields


class LettersSerializer(serializers.Serializer[Any]):
    """Which dead letters: `letters`, or all that are open."""

    letters = serializers.ListField(
        required=False, child=serializers.UUIDField(), max_length=MOST_LETTERS, allow_null=True, default=None
    )


class DiscardSerializer(LettersSerializer):
    """Which dead letters, and why they are given up."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)


class LetterCountSerializer(serializers.Serializer[Any]):
    """How many."""

    count = serializers.IntegerField()


class StreamSerializer(serializers.Serializer[Any]):
    """Events after a position, and the one to go on from. `events` are CloudEvents."""

    events = serializers.ListField(child=serializers.JSONField())
    position = serializers.IntegerField()
    head = serializers.IntegerField()
    oldest = serializers.IntegerField()
