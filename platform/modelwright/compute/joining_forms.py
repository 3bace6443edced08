"""Forms of joining and removing. Services decide; these only parse."""

from __future__ import annotations

from django import forms


class LabelsField(forms.CharField):
    """`name=value` on each line, as a dictionary."""

    def clean(self, value: str) -> dict[str, str]:
        """Raises forms.ValidationError for a line without a name."""
        lines = [line.strip() for line in super().clean(value).splitlines() if line.strip()]
        pairs = [line.partition("=") for line in lines]
        if wrong := [line for line, (name, _, _) in zip(lines, pairs, strict=True) if not name.strip()]:
            raise forms.ValidationError(f"{wrong[0][:60]!r} has no name. Write one label on each line: disk=ssd")
        return {name.strip(): text.strip() for name, _, text in pairs}

    def prepare_value(self, value: object) -> object:
        """A dictionary as people write it."""
        if not isinstance(value, dict):
            return value
        return "\n".join(f"{name}={text}" if text else name for name, text in sorted(value.items()))


class JoinTokenForm(forms.Form):
    """A token to make."""

    labels = LabelsField(
        label="Labels",
        required=False,
        max_length=4000,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "class": "code"}),
        help_text="One on each line, such as disk=ssd. Sizes can ask for them.",
    )


class RemovalForm(forms.Form):
    """Whether to lose what runs there."""

    force = forms.BooleanField(label="Remove it although something runs there", required=False)
