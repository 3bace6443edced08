"""From a requirements file to a run inside its environment."""

from __future__ import annotations

import shutil

import pytest

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute import environment_results, placement, selectors, services
from modelwright.compute.backends.process import ProcessBackend
from modelwright.compute.layout import environment_folder
from modelwright.compute.models import Environment, EnvironmentRequest, Host, Workload
from modelwright.core.errors import Conflict, PermissionRefused, ValidationFailed

from .support import ACTOR, fresh, queue, watch_to_end, watch_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
SIX = "six==1.17.0\n"


def ask(requirements: str, **changes: str) -> EnvironmentRequest:
    return services.request_environment(requirements=requirements, acting_user=ACTOR, **changes)


def built(requirements: str, host: Host, backend: ProcessBackend) -> EnvironmentRequest:
    request = ask(requirements)
    assert request.workload is not None
    watch_to_end(request.workload, host, backend)
    request.refresh_from_db()
    return request


def run_with(request: EnvironmentRequest) -> Workload:
    command = ["{python}", "-c", "import six, sys; print(six.__version__, sys.prefix)"]
    return queue(command=command, environment_request=request)


def test_a_run_waits_for_its_environment_and_then_runs_in_it(host: Host, local: ProcessBackend) -> None:
    request = ask(SIX)
    workload = run_with(request)
    placement.place_and_start(workload.pk, local)
    assert fresh(workload).waiting_reason == "Its environment is being built."
    ended = watch_to_end(workload, host, local)
    assert ended.state == "succeeded", selectors.read_log(ended)
    assert ended.environment is not None
    assert selectors.read_log(ended)[0] == f"1.17.0 {environment_folder(ended.environment)}\n"
    assert ended.environment_note == "Built because no run used this lock before."
    assert "six==1.17.0" in ended.environment.lock
    assert ended.environment.build == request.workload

    again = ask(SIX)
    assert (again.pk, again.state) == (request.pk, "ready")
    assert run_with(again).environment_note.startswith("Reused: these requirements were resolved and built on 20")
    assert Workload.objects.filter(kind="environment").count() == 1


def test_other_words_for_the_same_lock_share_the_environment(host: Host, local: ProcessBackend) -> None:
    first = built(SIX, host, local)
    second = built("# pinned\nsix == 1.17.0\n", host, local)
    assert first.pk != second.pk
    assert first.environment == second.environment
    assert "built before" in second.reason
    assert Environment.objects.count() == 1


def test_a_build_that_fails_fails_what_waited_and_says_what_to_do(host: Host, local: ProcessBackend) -> None:
    request = ask("no-such-package-of-ours-0\n")
    workload = run_with(request)
    ended = watch_to_end(workload, host, local)
    request.refresh_from_db()
    assert (ended.state, request.state) == ("failed", "failed")
    assert "could not be built" in ended.detail
    assert "no package 'no-such-package-of-ours-0'" in ended.detail

    repeated = ask("no-such-package-of-ours-0\n")
    assert (repeated.pk, repeated.state) == (request.pk, "building")
    assert repeated.workload != request.workload


def test_two_requests_at_once_share_one_build(host: Host, local: ProcessBackend) -> None:
    assert ask(SIX) == ask(SIX)
    assert Workload.objects.filter(kind="environment").count() == 1


def test_a_build_that_was_cancelled_is_repeated_by_the_next_request(host: Host, local: ProcessBackend) -> None:
    request = ask(SIX)
    assert request.workload is not None
    services.request_cancel(request.workload, acting_user=ACTOR)
    assert environment_results.collect() == 1
    request.refresh_from_db()
    assert request.state == "failed"
    assert ask(SIX).state == "building"


def test_an_environment_whose_files_are_gone_is_built_again(host: Host, local: ProcessBackend) -> None:
    request = built(SIX, host, local)
    assert request.environment is not None
    shutil.rmtree(environment_folder(request.environment))
    again = built(SIX, host, local)
    assert again.state == "ready"
    assert again.environment == request.environment
    assert (environment_folder(request.environment) / ".ready").exists()
    request.environment.refresh_from_db()
    assert request.environment.state == "ready"


def test_only_an_administrator_removes_an_environment_and_only_unused(
    host: Host, local: ProcessBackend, admin: User, stranger: User
) -> None:
    environment = built(SIX, host, local).environment
    assert environment is not None
    with pytest.raises(PermissionRefused):
        services.remove_environment(environment, acting_user=Actor.person(stranger))
    waiting = run_with(ask(SIX))
    with pytest.raises(Conflict, match="in use"):
        services.remove_environment(environment, acting_user=Actor.person(admin))
    services.request_cancel(waiting, acting_user=ACTOR)
    services.remove_environment(environment, acting_user=Actor.person(admin))
    assert not environment_folder(environment).exists()
    assert ask(SIX).state == "building"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"kind": "setup.py"}, "kind"),
        ({"python": "three"}, "python"),
        ({"python": "--help"}, "python"),
        ({"requirements": "x" * 2_000_000}, "requirements"),
    ],
)
def test_what_names_no_environment_is_refused(db: None, arguments: dict[str, str], field: str) -> None:
    values = {"requirements": SIX, **arguments}
    with pytest.raises(ValidationFailed) as caught:
        services.request_environment(acting_user=ACTOR, **values)
    assert caught.value.errors[0].field == field


@pytest.mark.parametrize(
    "result",
    [
        '{"ok": true, "lock": "x", "digest": "../../etc", "size_bytes": 1}',
        '{"ok": true, "lock": "x", "size_bytes": []}',
        '{"ok": false, "error": "a \\u0000 b \\ud800"}',
        "[[[[",
    ],
)
def test_a_forged_result_is_not_believed(host: Host, local: ProcessBackend, result: str) -> None:
    request = ask(SIX)
    workload = request.workload
    assert workload is not None
    Workload.objects.filter(pk=workload.pk).update(
        spec={
            "command": ["/bin/true"],
            "environment": {},
            "files": {"result.json": result},
        }
    )
    watch_until(lambda: fresh(workload).is_ended, host, local)
    request.refresh_from_db()
    assert request.state == "failed"
    assert not Environment.objects.exists()
