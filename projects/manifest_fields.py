"""Reading entries of a YAML mapping strictly: every entry is known and has the right form, or an error says so."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Sequence
from typing import Any, NoReturn

import yaml

from modelwright.core.errors import FieldError, ValidationFailed
from projects.source.paths import check_path

MAX_BYTES = 100_000
MAX_TEXT = 10_000
MAX_ARGUMENTS = 100
MAX_ARGUMENT = 1000
MAX_DEPTH = 20
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DURATION = re.compile(r"(\d{1,7})([smh]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_NAME_FORM = "Use small letters, digits and hyphens, 63 at most."


class _StrictLoader(yaml.SafeLoader):
    """YAML without aliases, which can blow a small file up, and without keys given twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases (`*name`) are not allowed", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[object] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                # YAML 1.1 takes the words on, off, yes and no for truth values; as names of entries they are words.
                key.tag = "tag:yaml.org,2002:str"
            if key.value in seen if isinstance(key, yaml.ScalarNode) else False:
                raise yaml.constructor.ConstructorError(None, None, f"`{key.value}` is given twice", key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep=deep)


def problem(where: str, message: str, remedy: str) -> FieldError:
    """One wrong entry."""
    return FieldError(where, message, remedy)


def read_document(data: bytes) -> Mapping:
    """Parse YAML whose top is a mapping. Raises ValidationFailed with the line of what is no YAML."""
    document = _loaded(data, "The file")
    if not isinstance(document, dict):
        _fail("The file is not a mapping.", "Begin with `name: …`.")
    return Mapping(document, "", [])


def read_thing(data: bytes, what: str) -> Any:
    """Parse YAML that would stand in the file as one thing, `The rule`. Raises ValidationFailed as for the file."""
    thing = _loaded(data, what)
    if wrong := _unplain(thing):
        _fail(f"{what} holds {wrong}.", "Put it in quotation marks, or leave it out.")
    return thing


def _loaded(data: bytes, what: str) -> Any:
    if len(data) > MAX_BYTES:
        _fail(f"{what} has more than {MAX_BYTES:,} bytes.", "Shorten it.")
    try:
        return yaml.load(data.decode(), Loader=_StrictLoader)  # noqa: S506 - a SafeLoader made stricter
    except UnicodeDecodeError:
        _fail(f"{what} is not UTF-8 text.", "Save it as UTF-8.")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"Line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        _fail(f"{what} is not valid YAML. {line}{error.problem}.", "Correct that line; indent with spaces.")
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, TypeError, LookupError) as error:
        # PyYAML's constructors let some of these out where a value does not fit its tag.
        _fail(f"{what} is not valid YAML: {str(error)[:200]}", "Correct it; indent with spaces.")


def _fail(message: str, remedy: str) -> NoReturn:
    raise ValidationFailed(message, remedy=remedy, field="modelwright.yaml")


class Mapping:
    """A mapping of the file that is taken apart entry by entry. Wrong entries are gathered, not raised."""

    def __init__(self, values: dict[Any, Any], where: str, errors: list[FieldError]) -> None:
        self._values, self._where, self._errors = values, where, errors
        self._known: list[str] = []

    def refuse(self, key: str, message: str, remedy: str) -> None:
        """Note that the entry is wrong."""
        self._errors.append(problem(f"{self._where}.{key}".lstrip("."), message, remedy))

    def finish(self) -> None:
        """Note every entry that nobody asked for."""
        for key in self._values.keys() - set(self._known):
            self.refuse(str(key)[:60], "There is no such entry here.", f"Use {', '.join(self._known)}.")

    def raise_errors(self, file: str) -> None:
        """Raise ValidationFailed if anything was wrong."""
        if self._errors:
            self.raise_all(self._errors, file)

    @staticmethod
    def raise_all(errors: Sequence[FieldError], file: str) -> NoReturn:
        """Raise one ValidationFailed for all errors."""
        raise ValidationFailed(
            f"{file} is not valid. " + " ".join(f"`{e.field}`: {e.message}" for e in errors),
            remedy=errors[0].remedy if len(errors) == 1 else "Correct the entries named in `errors`.",
            errors=tuple(errors),
        )

    def text(self, key: str, *, required: bool = False) -> str:
        """A text, empty where it is left out."""
        value = self._take(key)
        if value is None:
            if required:
                self.refuse(key, "This entry is needed.", "Add it.")
            return ""
        if not isinstance(value, str):
            self.refuse(key, f"It is {_kind(value)}, not a text.", "Put it in quotation marks.")
            return ""
        if len(value) > MAX_TEXT or any(ord(c) < 32 and c not in "\n\t" for c in value):
            self.refuse(key, "It is too long, or holds a character that cannot be seen.", f"At most {MAX_TEXT:,}.")
            return ""
        return value.strip()

    def name(self, key: str, *, required: bool = False) -> str:
        """A name of the platform, empty where it is left out."""
        value = self.text(key, required=required)
        if value and not _NAME.fullmatch(value):
            self.refuse(key, f"{value[:60]!r} is not a valid name.", _NAME_FORM)
        return value

    def choice(self, key: str, choices: Sequence[str], *, default: str) -> str:
        """One of `choices`."""
        value = self.text(key) or default
        if value not in choices:
            self.refuse(key, f"{value[:60]!r} is not one of {', '.join(choices)}.", f"Use {' or '.join(choices)}.")
            return default
        return value

    def script(self, key: str) -> str:
        """The path of a Python file in the project."""
        value = self.text(key, required=True)
        if not value:
            return ""
        try:
            check_path(value)
        except ValidationFailed as error:
            self.refuse(key, error.message, error.remedy)
            return ""
        if not value.endswith(".py"):
            self.refuse(key, f"{value[:60]!r} is not a Python file.", "Name a file that ends in `.py`.")
        return value

    def arguments(self, key: str) -> tuple[str, ...]:
        """Command-line arguments: texts, and numbers as they would be typed."""
        found = []
        for number, value in enumerate(self._list(key, MAX_ARGUMENTS)):
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                self.refuse(f"{key}[{number}]", f"It is {_kind(value)}, not a text.", "Put it in quotation marks.")
            elif len(str(value)) > MAX_ARGUMENT or "\0" in str(value):
                self.refuse(f"{key}[{number}]", "It is too long.", f"Give at most {MAX_ARGUMENT} characters.")
            else:
                found.append(str(value))
        return tuple(found)

    def names(self, key: str) -> tuple[str, ...]:
        """A list of names."""
        found = []
        for number, value in enumerate(self._list(key, MAX_ARGUMENTS)):
            if isinstance(value, str) and _NAME.fullmatch(value):
                found.append(value)
            else:
                self.refuse(f"{key}[{number}]", f"{str(value)[:60]!r} is not a valid name.", _NAME_FORM)
        return tuple(found)

    def duration(self, key: str, longest: int) -> int | None:
        """Seconds from `90`, `90s`, `15m` or `2h`; None where it is left out."""
        value = self._take(key)
        if value is None:
            return None
        match = None if isinstance(value, bool) else _DURATION.fullmatch(str(value))
        seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
        if not 1 <= seconds <= longest:
            self.refuse(
                key, f"{str(value)[:60]!r} is not a time.", f"Write 90s, 15m or 2h, at most {longest // 3600}h."
            )
            return None
        return seconds

    def whole_number(self, key: str, largest: int) -> int:
        """A whole number from 0 to `largest`, 0 where it is left out."""
        value = self._take(key)
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= largest:
            self.refuse(key, f"{str(value)[:60]!r} is no whole number from 0 to {largest}.", f"Write 0 to {largest}.")
            return 0
        return value

    def mapping(self, key: str) -> Mapping:
        """A mapping inside this one, empty where it is left out."""
        value = self._take(key)
        if value is not None and not isinstance(value, dict):
            self.refuse(key, f"It is {_kind(value)}, not a mapping.", "Indent its entries below it.")
            value = None
        return Mapping(value or {}, f"{self._where}.{key}".lstrip("."), self._errors)

    def mappings(self, key: str, longest: int) -> list[Mapping]:
        """A list of mappings."""
        found = []
        for number, value in enumerate(self._list(key, longest)):
            where = f"{key}[{number}]"
            if isinstance(value, dict):
                found.append(Mapping(value, f"{self._where}.{where}".lstrip("."), self._errors))
            else:
                self.refuse(where, f"It is {_kind(value)}, not a mapping.", "Write `- name: …` and indent the rest.")
        return found

    def named(self, key: str, longest: int) -> dict[str, Any]:
        """Things by their names, each plain data that whoever uses it reads: texts, numbers, lists, mappings."""
        value = self._take(key)
        if value is None:
            return {}
        if not isinstance(value, dict) or len(value) > longest:
            self.refuse(key, f"It is {_kind(value)}, not a mapping of {longest} names at most.", "Write `name: …`.")
            return {}
        found = {}
        for name, thing in value.items():
            where = f"{key}.{str(name)[:60]}"
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                self.refuse(where, "It is not a valid name.", _NAME_FORM)
            elif wrong := _unplain(thing):
                self.refuse(where, f"It holds {wrong}.", "Put it in quotation marks, or leave it out.")
            else:
                found[name] = thing
        return found

    def _take(self, key: str) -> Any:
        self._known.append(key)
        return self._values.get(key)

    def _list(self, key: str, longest: int) -> list[Any]:
        value = self._take(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse(key, f"It is {_kind(value)}, not a list.", "Write `[a, b]`, or one `- …` a line.")
            return []
        if len(value) > longest:
            self.refuse(key, f"It has more than {longest} entries.", "Shorten it.")
        return value[:longest]


def _unplain(value: object, depth: int = 0) -> str:
    """What in the value is no plain data, empty when all of it is."""
    if depth > MAX_DEPTH:
        return "values nested too deeply"
    if isinstance(value, dict):
        return next((wrong for inner in value.values() if (wrong := _unplain(inner, depth + 1))), "")
    if isinstance(value, list):
        return next((wrong for inner in value if (wrong := _unplain(inner, depth + 1))), "")
    if isinstance(value, float) and not math.isfinite(value):
        return "a number without bounds"
    if value is None or isinstance(value, bool | int | float | str):
        return ""
    return f"{str(value)[:60]}, which is a {type(value).__name__}"


def _kind(value: object) -> str:
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a mapping",
        str: "a text",
    }
    return kinds.get(type(value), "something else")
