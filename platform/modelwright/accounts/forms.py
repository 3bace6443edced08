"""Forms of the accounts pages. Services decide; these only parse."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django import forms
from django.utils import timezone

from modelwright.accounts.models import ApiToken

MAX_PASSWORD = 1000


def _password(label: str, autocomplete: str, help_text: str = "") -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, max_length=MAX_PASSWORD, strip=False, widget=widget, help_text=help_text)


class SignInForm(forms.Form):
    """Name and password."""

    username = forms.CharField(
        label="User name",
        max_length=63,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "autofocus": True}),
    )
    password = _password("Password", "current-password")


class PasswordForm(forms.Form):
    """The present password and the new one, twice."""

    old = _password("Present password", "current-password")
    password = _password("New password", "new-password", "At least 12 characters, and not a common one.")
    again = _password("New password again", "new-password")

    def clean(self) -> dict[str, object]:
        """Refuse a new password that was mistyped."""
        values = super().clean() or {}
        if values.get("password") and values.get("again") and values["password"] != values["again"]:
            self.add_error("again", "The two new passwords differ.")
        return values


class ResetForm(forms.Form):
    """Another password for somebody."""

    password = _password("New password", "new-password", "At least 12 characters. Tell it to them in person.")


class TokenForm(forms.Form):
    """An API token to make."""

    name = forms.CharField(
        label="Name", max_length=100, help_text="Says where the token is used, such as “nightly training on ci-3”."
    )
    scope = forms.ChoiceField(label="What it may do", choices=ApiToken.Scope.choices, initial=ApiToken.Scope.FULL)
    days = forms.TypedChoiceField(
        label="Lifetime",
        coerce=int,
        choices=[(30, "30 days"), (90, "90 days"), (365, "1 year"), (0, "Until it is revoked")],
        initial=90,
    )

    def expires_at(self) -> datetime | None:
        """The end of the token's last day, None for never."""
        days = self.cleaned_data["days"]
        if not days:
            return None
        day = timezone.localdate() + timedelta(days=days)
        return timezone.make_aware(datetime.combine(day, time(23, 59, 59)))


class _RolesForm(forms.Form):
    is_site_admin = forms.BooleanField(
        label="Administrator of this installation",
        required=False,
        help_text="May do everything in every workspace, and manages people and hosts.",
    )
    is_auditor = forms.BooleanField(
        label="Auditor", required=False, help_text="May read everything, the audit log too, and change nothing."
    )


class PersonForm(_RolesForm):
    """A person to add."""

    username = forms.CharField(
        label="User name",
        max_length=63,
        help_text="Small letters, digits and hyphens.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    full_name = forms.CharField(label="Full name", max_length=200, required=False)
    email = forms.EmailField(label="E-mail address", required=False)
    password = _password("First password", "new-password", "At least 12 characters. They can change it themselves.")
    field_order = ["username", "full_name", "email", "password", "is_site_admin", "is_auditor"]


class RolesForm(_RolesForm):
    """Site roles and activity of a person."""

    is_active = forms.BooleanField(
        label="Active",
        required=False,
        help_text="An inactive person cannot sign in, and their API tokens do nothing. Their records stay.",
    )
    field_order = ["is_active", "is_site_admin", "is_auditor"]
