"""Names that a project's variables may not have, and why."""

from __future__ import annotations

from modelwright.core.errors import ValidationFailed

_BY_PLATFORM = "is set by the platform in every workload."
_BY_LOADER = "would change which code runs, before the project's own."
_BY_SYSTEM = "belongs to the system that the workload runs on."
_PREFIXES = {
    "MODELWRIGHT_": _BY_PLATFORM,
    "MLFLOW_": _BY_PLATFORM,
    "LD_": _BY_LOADER,
    "PYTHON": _BY_LOADER,
    "JUPYTER": _BY_PLATFORM,
}
_NAMES = {
    **dict.fromkeys(("PATH", "HOME", "TMPDIR", "VIRTUAL_ENV"), _BY_PLATFORM),
    **dict.fromkeys(
        ("BASH_ENV", "ENV", "IFS", "NODE_OPTIONS", "PERL5OPT", "PROMPT_COMMAND", "RUBYOPT", "SHELLOPTS"), _BY_LOADER
    ),
    **dict.fromkeys(("USER", "LOGNAME", "SHELL", "PWD", "HOSTNAME"), _BY_SYSTEM),
}


def why_reserved(name: str) -> str:
    """Why no variable may be called so; empty for a name that is free. Small letters are taken for large ones."""
    upper = name.upper()
    because = _NAMES.get(upper) or next((why for prefix, why in _PREFIXES.items() if upper.startswith(prefix)), "")
    return f"The variable {name[:128]} {because}" if because else ""


def check_name(name: str) -> None:
    """Raise ValidationFailed for a reserved name. Whether it is a name at all, the table's own validator says."""
    if reason := why_reserved(name):
        raise ValidationFailed(reason, remedy="Choose another name.", field="name")
