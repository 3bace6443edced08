"""Parameters of a run: checked, and turned into command-line arguments."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from modelwright.core.errors import FieldError, ValidationFailed
from modelwright.core.validators import validate_variable_name

Value = str | int | float | bool
MAX_PARAMETERS = 100
MAX_TEXT = 4000
MAX_ARGUMENTS = 100
_NAME = re.compile(r"\A[A-Za-z_][A-Za-z0-9_.\-]{0,99}\Z")
_VARIABLE = re.compile(r"\A[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_RESERVED = re.compile(r"\A(MODELWRIGHT_.*|MLFLOW_TRACKING_.*|PATH|LD_.*|VIRTUAL_ENV|PYTHONHOME)\Z")


def check_parameters(parameters: Mapping[str, object]) -> dict[str, Value]:
    """Return the parameters if each is a name with a text, number or truth value. Raises ValidationFailed."""
    errors = [error for name, value in parameters.items() if (error := _fault(name, value))]
    if len(parameters) > MAX_PARAMETERS:
        errors.append(FieldError("parameters", f"There are more than {MAX_PARAMETERS}.", "Read them from a file."))
    _raise(errors)
    return {name: value for name, value in parameters.items() if isinstance(value, str | int | float | bool)}


def _fault(name: str, value: object) -> FieldError | None:
    field = f"parameters.{name[:60]}"
    if not _NAME.match(name):
        return FieldError(field, "This is no parameter's name.", "Use letters, digits, `_`, `-` and `.`.")
    if not isinstance(value, str | int | float | bool):
        return FieldError(field, "It is not a text, number or truth value.", "Give one of these.")
    if isinstance(value, float) and not math.isfinite(value):
        return FieldError(field, "It is not a finite number.", "Give a finite number.")
    if isinstance(value, str) and (len(value) > MAX_TEXT or "\0" in value):
        return FieldError(field, "The text is too long, or holds a NUL.", f"Give at most {MAX_TEXT} characters.")
    return None


def as_arguments(parameters: Mapping[str, Value]) -> list[str]:
    """`--name value` for each parameter; `--name=value` where the value begins with a hyphen, as argparse needs it."""
    arguments: list[str] = []
    for name, value in parameters.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        arguments.extend([f"--{name}={text}"] if text.startswith("-") else [f"--{name}", text])
    return arguments


def check_arguments(arguments: Sequence[object]) -> list[str]:
    """Return the command-line arguments if each is a text. Raises ValidationFailed."""
    errors = [
        FieldError(f"arguments[{number}]", "It is not a text, too long, or holds a NUL.", "Give texts.")
        for number, value in enumerate(arguments)
        if not isinstance(value, str) or len(value) > MAX_TEXT or "\0" in value
    ]
    if len(arguments) > MAX_ARGUMENTS:
        errors.append(FieldError("arguments", f"There are more than {MAX_ARGUMENTS}.", "Read them from a file."))
    _raise(errors)
    return [str(value) for value in arguments]


def check_variables(variables: Mapping[str, object]) -> dict[str, str]:
    """Return the environment variables of a job if they may be set. Raises ValidationFailed."""
    errors = []
    for name, value in variables.items():
        field = f"variables.{name[:60]}"
        if not _VARIABLE.match(name):
            errors.append(FieldError(field, str(validate_variable_name.message)))
        elif _RESERVED.match(name):
            errors.append(FieldError(field, "The platform sets this variable itself.", "Choose another name."))
        elif not isinstance(value, str) or len(value) > MAX_TEXT or "\0" in value:
            errors.append(FieldError(field, "It is not a text, or too long.", "Give a text."))
    if len(variables) > MAX_PARAMETERS:
        errors.append(FieldError("variables", f"There are more than {MAX_PARAMETERS}.", "Read them from a file."))
    _raise(errors)
    return {name: str(value) for name, value in variables.items()}


def is_reserved(name: str) -> bool:
    """Whether the platform sets this environment variable itself in every run."""
    return bool(_RESERVED.match(name))


def _raise(errors: Sequence[FieldError]) -> None:
    if errors:
        raise ValidationFailed(
            "; ".join(f"{error.field}: {error.message}" for error in errors),
            remedy="Correct the fields named.",
            errors=tuple(errors),
        )
