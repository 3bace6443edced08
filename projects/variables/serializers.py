"""REST forms of variables and of the record of secrets."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from projects.models import SecretRead, Variable
from projects.variables.selectors import shown_value
from projects.variables.services import MAX_VALUE

_DELIVERY = (
    "`environment`: the value is in the environment variable. `file`: it is in a file that only the workload reads, "
    "and the variable holds the file's path."
)


class VariableSerializer(serializers.ModelSerializer[Variable]):
    """A variable. The value of a secret one is null."""

    value = serializers.SerializerMethodField(method_name="shown")

    class Meta:
        model = Variable
        fields = [
            "id",
            "name",
            "description",
            "value",
            "is_secret",
            "delivery",
            "revision",
            "created_at",
            "changed_at",
            "changed_by",
        ]
        read_only_fields = fields

    def shown(self, variable: Variable) -> str | None:
        """The value, null for a secret."""
        return shown_value(variable)


class VariableSetSerializer(serializers.Serializer[Variable]):
    """The value to set."""

    value = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=MAX_VALUE)
    is_secret = serializers.BooleanField(default=True, help_text="A secret's value is never shown again.")
    delivery = serializers.ChoiceField(
        choices=Variable.Delivery.choices, default=Variable.Delivery.ENVIRONMENT.value, help_text=_DELIVERY
    )
    description = serializers.CharField(default="", allow_blank=True, max_length=200, help_text="What it is for.")


class VariableChangeSerializer(serializers.Serializer[Variable]):
    """What may be changed of a variable. What is left out stays, the value too."""

    value = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False, max_length=MAX_VALUE)
    is_secret = serializers.BooleanField(
        required=False, help_text="False for what was a secret takes a new `value` besides."
    )
    delivery = serializers.ChoiceField(required=False, choices=Variable.Delivery.choices, help_text=_DELIVERY)
    description = serializers.CharField(required=False, allow_blank=True, max_length=200, help_text="What it is for.")


class SecretReadSerializer(serializers.ModelSerializer[SecretRead]):
    """Secrets of a project that a workload was given: which, when, for whom."""

    project_name = serializers.CharField(source="project.name", read_only=True)
    names = serializers.ListField(child=serializers.CharField(), read_only=True, help_text="Names of the secrets.")

    class Meta:
        model = SecretRead
        fields = [
            "id",
            "created_at",
            "project",
            "project_name",
            "workload_id",
            "attempt",
            "subject_kind",
            "subject_id",
            "subject",
            "names",
            "person",
            "person_id",
        ]
        read_only_fields: Any = fields
