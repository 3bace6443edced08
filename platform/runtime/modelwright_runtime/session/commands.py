"""Cells and lines of terminals, written down where the project asks for it; and sending what is written down here and
by the client. Evidence of the user, and no proof."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelwright_runtime.session.orders import Orders
from modelwright_runtime.session.telling import tell

MAX_TEXT = 20_000
MAX_AT_ONCE = 100
MAX_BYTES = 1024 * 1024

_STARTUP = """
def _record(info, _path={path!r}):
    import json, time
    if not info.store_history:
        return
    with open(_path, "a", encoding="utf-8") as file:
        file.write(json.dumps({{"kind": "cell", "at": time.time(), "text": info.raw_cell[:20000]}}) + "\\n")

get_ipython().events.register("pre_run_cell", _record)
del _record
"""
_BASHRC = """
[ -f ~/.bashrc ] && . ~/.bashrc
HISTCONTROL= HISTIGNORE=
_modelwright_record() {{
  local line number text
  line=$(HISTTIMEFORMAT= history 1)
  number=${{line%%[^0-9 ]*}}
  if [ "${{_modelwright_last-none}}" != none ] && [ "$number" != "$_modelwright_last" ]; then
    text=$(printf '%s' "$line" | sed 's/^ *[0-9]* *//')
    printf '%s' "$text" | {python} -I -S -c {code} {path}
  fi
  _modelwright_last=$number
}}
PROMPT_COMMAND="_modelwright_record${{PROMPT_COMMAND:+; $PROMPT_COMMAND}}"
"""
_CODE = (
    "import json,sys,time; t=sys.stdin.read()[:20000]; "
    "t and open(sys.argv[1],'a').write(json.dumps(dict(kind='terminal',at=time.time(),text=t))+chr(10))"
)


def prepare(orders: Orders, python: Path) -> None:
    """Write what has IPython and the terminals' shell write their commands down."""
    path = _file(orders)
    startup = orders.private / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    (startup / "00-modelwright.py").write_text(_STARTUP.format(path=str(path)))
    bashrc = _BASHRC.format(python=python, code=f'"{_CODE}"', path=f"'{path}'")
    (orders.private / "bashrc").write_text(bashrc)


def _file(orders: Orders) -> Path:
    return orders.private / "commands"


class Notes:
    """Sends what was written into a file of one JSON object a line since the last time."""

    def __init__(self, orders: Orders, name: str, keys: Sequence[str]) -> None:
        """`name` is that of the file and of the address; `keys` are the texts of each object, beside its time."""
        self._orders, self._name, self._keys = orders, name, keys
        self._offset = 0

    def send(self) -> None:
        """Send it. Raises PlatformError, and sends the same again the next time."""
        found, end = self._read()
        if found:
            tell(self._orders, self._name, {"offset": self._offset, self._name: found})
        self._offset = end

    def _read(self) -> tuple[list[dict[str, Any]], int]:
        try:
            with (self._orders.private / self._name).open("rb") as stream:
                stream.seek(self._offset)
                data = stream.read(MAX_BYTES)
        except OSError:
            return [], self._offset
        found: list[dict[str, Any]] = []
        end = self._offset
        for line in data.splitlines(keepends=True):
            if not line.endswith(b"\n") or len(found) == MAX_AT_ONCE:
                break
            end += len(line)
            found.extend(self._note(line))
        return found, end

    def _note(self, line: bytes) -> list[dict[str, Any]]:
        try:
            value = json.loads(line)
            return [{"at": float(value["at"]), **{key: str(value[key])[:MAX_TEXT] for key in self._keys}}]
        except (ValueError, KeyError, TypeError):
            return []


def notes_of(orders: Orders) -> list[Notes]:
    """What is read of data connections, always; what is typed, where the project asks for it."""
    reads = Notes(orders, "reads", ("connection", "kind", "what"))
    return [reads, *([Notes(orders, "commands", ("kind", "text"))] if orders.records_commands else [])]
