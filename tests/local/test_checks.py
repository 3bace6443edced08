"""`./modelwright test` shows what failed, ends with a summary, and fails when anything did."""

import re
import sys

import pytest

from modelwright.local import checks
from modelwright.local.checks import Check, Result


def python(name: str, code: str, *, quiet: bool = True) -> Check:
    return Check(name, (sys.executable, "-c", code), quiet=quiet)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was printed, whatever number of seconds it took."""
    return re.sub(r"in \d+ s", "in some s", capsys.readouterr().out).splitlines()


def test_a_quiet_check_that_passes_says_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    result = checks.run(python("style", "print('fine')"))
    assert (result.code, result.last) == (0, "fine")
    assert lines(capsys) == ["— style: passed in some s"]


def test_a_quiet_check_that_fails_shows_all_it_said(capsys: pytest.CaptureFixture[str]) -> None:
    result = checks.run(python("style", "import sys; print('line 3 is too long'); sys.exit(4)"))
    assert result.code == 4
    assert "line 3 is too long" in capsys.readouterr().out


def test_a_late_check_shows_all_it_said_at_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    checks.run(Check("machines", (sys.executable, "-c", "print('one left out')"), late=True))
    assert lines(capsys) == ["", "— machines:", "one left out", "— machines: passed in some s"]


def test_the_summary_names_each_step_with_its_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    checks.summarise([Result("mypy", 0, 1.0, "no issues"), Result("tests", 1, 2.0, "1 failed, 9 passed")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Failed: tests."
    assert any("passed" in line and "mypy" in line and "no issues" in line for line in lines)
    assert any("FAILED" in line and "1 failed, 9 passed" in line for line in lines)


def test_arguments_go_to_one_call_of_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Check] = []

    def note(check: Check) -> Result:
        seen.append(check)
        return Result(check.name, 0, 0.0, "")

    monkeypatch.setattr(checks, "run", note)
    assert checks.main(["tests/jobs", "-x", "-k", "a or b"]) == 0
    assert [check.command[-4:] for check in seen] == [("tests/jobs", "-x", "-k", "a or b")]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--fast"], ["ruff check", "import contracts", "quick tests"]),
        (
            [],
            [
                *("ruff check", "ruff format", "import contracts", "migrations"),
                *("mypy", "tests", "tests of the whole platform", "tests of several machines", "tests of containers"),
            ],
        ),
    ],
)
def test_one_failure_anywhere_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], names: list[str]
) -> None:
    for bad in names:
        seen: list[str] = []

        def pretend(check: Check, bad: str = bad, seen: list[str] = seen) -> Result:
            seen.append(check.name)
            return Result(check.name, int(check.name == bad), 0.0, "")

        monkeypatch.setattr(checks, "run", pretend)
        assert checks.main(arguments) == 1
        assert sorted(seen) == sorted(names)
