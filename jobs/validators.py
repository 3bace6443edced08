"""Validators of what a job may name. A migration names them, so they stay where they are."""

from django.core.validators import RegexValidator

SCRIPT_FORM = r"\A(?!.*(?:^|/)\.{1,2}(?:/|\Z))(?!/)[A-Za-z0-9_.\-/ ]{1,490}\.py\Z"

validate_script = RegexValidator(
    SCRIPT_FORM,
    "A script is the path of a .py file in the repository, such as `src/train.py`, without `..`.",
    code="invalid-script",
)
