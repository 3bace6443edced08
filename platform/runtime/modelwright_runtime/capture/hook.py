"""Notes the files below the watched folders that this process opens, one JSON line each, as it happens.

It is evidence, not proof: it runs in user code, and compiled libraries can open files past it. Nothing that goes wrong
in here may be noticed by the program.
"""

import os
import sys

try:
    # The package `json` takes 5 ms to import, and every process of a run would pay them.
    from _json import encode_basestring_ascii as quote
except ImportError:
    from json.encoder import encode_basestring_ascii as quote

FOLDER = "MODELWRIGHT_CAPTURE"
ROOTS = "MODELWRIGHT_CAPTURE_ROOTS"
MOST = 10_000
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC


class Recorder:
    """One process's file of notes. Forked children go on in it: each line is one `write`, appended whole."""

    def __init__(self, folder: str, roots: list[str]) -> None:
        """Make the file. Raises OSError."""
        os.makedirs(folder, exist_ok=True)
        self._own = os.path.join(os.path.realpath(folder), "")
        self._roots = tuple(os.path.join(root, "") for root in roots)
        self._seen: set[tuple[str, str]] = set()
        self._busy = False
        name = f"{os.getpid()}-{os.urandom(4).hex()}.jsonl"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(os.path.join(folder, name), flags, 0o600)

    def note(self, kind: str, **fields: str | list[str]) -> None:
        """Append one line: a JSON object of texts and lists of texts."""
        members = "".join(f", {quote(name)}: {_as_json(value)}" for name, value in fields.items())
        os.write(self._file, f'{{"kind": {quote(kind)}{members}}}\n'.encode())

    def opened(self, path: object, kind: str) -> None:
        """Note the path once for reading and once for writing, where it lies below a watched folder."""
        if isinstance(path, int):
            return
        text = os.path.abspath(os.fsdecode(path))  # type: ignore[arg-type]  # whatever is no path raises TypeError
        key = (kind, text)
        if key in self._seen or not text.startswith(self._roots) or text.startswith(self._own):
            return
        if text.endswith(".pyc") or len(self._seen) >= MOST:
            return
        self._seen.add(key)
        self.note(kind, path=text)

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        """The audit hook. Called for every audited event of the process, so it says no as fast as it can."""
        if event not in _EVENTS or self._busy:
            return
        self._busy = True
        try:
            _EVENTS[event](self, arguments)
        except Exception:  # noqa: S110 - an error in here would become one of the program's own
            pass
        finally:
            self._busy = False


def _as_json(value: str | list[str]) -> str:
    return quote(value) if isinstance(value, str) else f"[{', '.join(map(quote, value))}]"


def _on_open(recorder: Recorder, arguments: tuple[object, ...]) -> None:
    path, _, flags = arguments
    recorder.opened(path, "write" if isinstance(flags, int) and flags & _WRITES else "read")


def _on_rename(recorder: Recorder, arguments: tuple[object, ...]) -> None:
    recorder.opened(arguments[1], "write")


def _on_sqlite(recorder: Recorder, arguments: tuple[object, ...]) -> None:
    recorder.opened(arguments[0], "write")


_EVENTS = {"open": _on_open, "os.rename": _on_rename, "sqlite3.connect": _on_sqlite}


def install() -> None:
    """Switch capture on where the environment asks for it."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    scratch = os.environ.get("TMPDIR")
    if scratch:
        os.makedirs(scratch, exist_ok=True)
    roots = [root for root in os.environ.get(ROOTS, "").split(os.pathsep) if root]
    recorder = Recorder(folder, roots)
    recorder.note(
        "process",
        pid=str(os.getpid()),
        argv=sys.orig_argv,
        python=sys.version.split()[0],
        platform=sys.platform,
        hash_seed=os.environ.get("PYTHONHASHSEED", ""),
    )
    sys.addaudithook(recorder.hook)
