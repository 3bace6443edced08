"""REST forms of people and tokens."""

from __future__ import annotations

from rest_framework import serializers

from modelwright.accounts.models import ApiToken, User


class UserSerializer(serializers.ModelSerializer[User]):
    """A person. Who has no e-mail address has an empty one."""

    email = serializers.CharField(read_only=True)

    class Meta:
        model = User
        fields = ["id", "username", "full_name", "email", "is_active", "is_site_admin", "is_auditor", "created_at"]
        read_only_fields = fields


class UserCreateSerializer(serializers.Serializer[User]):
    """A person to add."""

    username = serializers.CharField(max_length=63)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)
    full_name = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    email = serializers.EmailField(required=False, allow_blank=True)
    is_site_admin = serializers.BooleanField(default=False)
    is_auditor = serializers.BooleanField(default=False)


class UserChangeSerializer(serializers.Serializer[User]):
    """What may be changed of a person."""

    is_active = serializers.BooleanField(required=False)
    is_site_admin = serializers.BooleanField(required=False)
    is_auditor = serializers.BooleanField(required=False)


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token without its text."""

    class Meta:
        model = ApiToken
        fields = ["id", "name", "hint", "scope", "expires_at", "last_used_at", "revoked_at", "created_at"]
        read_only_fields = fields


class TokenCreateSerializer(serializers.Serializer[ApiToken]):
    """A token to make."""

    name = serializers.CharField(max_length=100)
    scope = serializers.ChoiceField(choices=ApiToken.Scope.choices, default=ApiToken.Scope.FULL)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class NewTokenSerializer(TokenSerializer):
    """A new token with its text, which is shown this once."""

    token = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]
        read_only_fields = fields
