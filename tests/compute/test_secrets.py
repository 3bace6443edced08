"""What a workload is given in secret: as files that it alone reads, masked in its log, in no plain column."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelwright.compute.backends.base import Cause
from modelwright.compute.backends.docker.entry import SECRETS as CONTAINER_SECRETS
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.backends.keeper import codec
from modelwright.compute.backends.shim.record import SECRETS
from modelwright.compute.masking import forms
from modelwright.compute.sealed import Secrets, seal, unseal
from modelwright.core.crypto import encrypt

from .backends_support import new_key, script, wait_for_end, wait_until
from .kinds import DockerKind, Kind, make_kind

VALUE = "correct horse battery"


@pytest.fixture(params=["process-watched", "docker"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    made = make_kind(request.param, tmp_path)
    yield made
    made.close()


SAYS = """
import base64, os, sys, time
value = os.environ["KEY"]
for part in (value[:7], value[7:], "|", base64.b64encode(value.encode()).decode(), "|end"):
    sys.stdout.write(part); sys.stdout.flush(); time.sleep(0.05)
print(); print("again", value, file=sys.stderr)
"""
READS = """
import os, sys
path = sys.argv[1]
modes = [oct(os.stat(name).st_mode & 0o777) for name in (path, os.path.dirname(path))]
print(open(path).read() == "two\\nlines", *modes)
"""


def test_a_value_is_masked_whatever_the_pieces_in_which_it_is_written(backend: LocalBackend) -> None:
    spec = script(SAYS, environment={"PATH": "/usr/bin:/bin", "KEY": VALUE}, masked=forms([VALUE]))
    backend.start(spec)
    assert wait_for_end(backend, spec.key).cause is Cause.SUCCEEDED
    log = backend.log_path(spec.key).read_bytes()
    assert log == b"***|***|end\nagain ***\n"


def test_a_log_that_is_masked_is_still_live(backend: LocalBackend) -> None:
    text = f"import time\nprint('first {VALUE}', flush=True)\ntime.sleep(600)"
    spec = script(text, masked=forms([VALUE]))
    backend.start(spec)
    path = backend.log_path(spec.key)
    wait_until(lambda: path.exists() and path.read_bytes() == b"first ***\n", what="the line")
    backend.stop(spec.key)
    assert wait_for_end(backend, spec.key).cause is Cause.CANCELLED


def test_whoever_the_workload_leaves_behind_holds_nothing_up(backend: LocalBackend) -> None:
    text = (
        "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\nprint('x')"
    )
    spec = script(text, masked=forms([VALUE]))
    backend.start(spec)
    assert wait_for_end(backend, spec.key).cause is Cause.SUCCEEDED
    assert backend.log_path(spec.key).read_text() == "x\n"


def test_a_secret_file_is_the_workloads_alone_and_goes_with_it(kind: Kind, backend: LocalBackend) -> None:
    key = new_key()
    folder = str(backend.log_path(key).parent / SECRETS) if type(kind) is Kind else CONTAINER_SECRETS
    path = f"{folder}/KEY"
    spec = script(READS, path, key=key, secret_files={"KEY": "two\nlines"})
    backend.start(spec)
    assert wait_for_end(backend, spec.key).cause is Cause.SUCCEEDED, backend.log_path(spec.key).read_text()
    assert backend.log_path(spec.key).read_text() == "True 0o600 0o700\n"
    assert not Path(path).exists()
    for found in backend.log_path(spec.key).parent.rglob("*"):
        assert not found.is_file() or b"two\nlines" not in found.read_bytes()


@pytest.mark.parametrize("kind", ["docker"], indirect=True)
def test_what_the_engine_knows_of_a_container_holds_no_secret(kind: DockerKind, backend: LocalBackend) -> None:
    spec = script(
        "import os, time\nprint('first', os.environ['KEY'], flush=True)\ntime.sleep(600)",
        environment={"PATH": "/usr/bin:/bin", "KEY": VALUE},
        secret_files={"FILE": f"in a file: {VALUE}"},
        masked=forms([VALUE]),
    )
    backend.start(spec)
    path = backend.log_path(spec.key)
    wait_until(lambda: path.exists() and path.read_bytes() == b"first ***\n", what="the line")
    container = kind.container(spec.key)
    assert VALUE not in json.dumps(container.attrs)
    assert container.logs() == b"first ***\n"
    backend.stop(spec.key)
    wait_for_end(backend, spec.key)


def test_the_keeper_takes_no_path_for_the_name_of_a_secret_file() -> None:
    value = dict(codec.spec_to_json(script("pass", secret_files={"KEY": "x"}, masked=["abcd"])))
    read = codec.spec_from_json(json.loads(json.dumps(value)))
    assert (read.secret_files, list(read.masked)) == ({"KEY": "x"}, ["abcd"])
    for name in ("../x", "a/b", "", "."):
        with pytest.raises(codec.RefusedError):
            codec.spec_from_json({**value, "secret_files": {name: "x"}})


def test_what_is_sealed_comes_back_and_older_rows_are_read() -> None:
    secrets = Secrets({"A": "1"}, {"B": "2"}, ["3333"])
    text = seal(secrets)
    back = unseal(text)
    assert (back.variables, back.files, list(back.masked)) == ({"A": "1"}, {"B": "2"}, ["3333"])
    older: Any = unseal(encrypt(json.dumps({"A": "1"})))
    assert (older.variables, older.files, older.masked) == ({"A": "1"}, {}, ())
    assert seal(Secrets()) == ""
    assert unseal("") == Secrets()
