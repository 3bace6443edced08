"""Validators that migrations may name."""

from django.core.validators import RegexValidator

validate_name = RegexValidator(
    r"\A[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z",
    "A name has 1 to 63 small letters, digits and hyphens, and begins and ends with a letter or digit.",
    code="invalid-name",
)

validate_variable_name = RegexValidator(
    r"\A[A-Za-z_][A-Za-z0-9_]{0,127}\Z",
    "A variable's name has letters, digits and underscores and does not begin with a digit.",
    code="invalid-variable-name",
)
