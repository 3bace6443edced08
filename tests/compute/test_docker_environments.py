"""Environments of a host with containers: made in the engine, found again, made anew when they are gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as present
from pytest_django import Settings

from modelwright.compute import copies, layout, placement, selectors, services
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.layout import local_backend
from modelwright.compute.models import EnvironmentCopy, EnvironmentRequest, Host, Workload

from .kinds import KeeperKind
from .support import ACTOR, fresh, make_host, queue, watch_to_end, watch_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
BUILD_SECONDS = 240.0
SIX = "six==1.17.0\n"
SEEN = "import six, sys, os; print(six.__version__, sys.prefix, os.environ['USER'])"


@pytest.fixture
def kind(data: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeeperKind]:
    """A keeper of this host's data directory. Its images have a path of their own: others may use an equal one."""
    made = KeeperKind("keeper", data, "--readable", str(present.MODELWRIGHT_RUNTIME_SOURCE))
    settings.BACKEND, settings.KEEPER_SOCKET = "docker", made.parameters["socket"]
    monkeypatch.setattr(layout, "IMAGE_ENVIRONMENTS", Path(f"/opt/{made.parameters['instance']}/environments"))
    yield made
    made.close()


@pytest.fixture
def backend(kind: KeeperKind) -> LocalBackend:
    return local_backend()


@pytest.fixture
def host(db: None) -> Host:
    made = make_host()
    Host.objects.filter(pk=made.pk).update(backend=Host.Backend.DOCKER)
    made.refresh_from_db()
    return made


def ask(requirements: str) -> EnvironmentRequest:
    return services.request_environment(requirements=requirements, acting_user=ACTOR)


def built(requirements: str, host: Host, backend: LocalBackend) -> EnvironmentRequest:
    request = ask(requirements)
    watch_until(lambda: _state(request) != "building", host, backend, seconds=BUILD_SECONDS)
    request.refresh_from_db()
    return request


def _state(request: EnvironmentRequest) -> str:
    return EnvironmentRequest.objects.get(pk=request.pk).state


def ran(request: EnvironmentRequest, host: Host, backend: LocalBackend) -> Workload:
    workload = queue(command=["{python}", "-c", SEEN], environment_request=request)
    placement.place_and_start(workload.pk, backend)
    watch_until(lambda: fresh(workload).is_ended, host, backend, seconds=BUILD_SECONDS)
    return fresh(workload)


def test_requirements_become_an_image_that_runs_use_and_that_is_made_again_when_it_is_gone(
    host: Host, kind: KeeperKind, backend: LocalBackend
) -> None:
    request = built(SIX, host, backend)
    assert request.state == "ready", request.error
    assert request.environment is not None
    assert request.workload is not None
    log = selectors.read_log(request.workload)[0]
    assert "Resolving requirements.txt" in log
    assert "six" in log
    assert "\x1b" not in log
    copy = EnvironmentCopy.objects.get(environment=request.environment, host=host)
    assert (copy.state, copy.image.partition(":")[0]) == ("ready", "modelwright-environment")
    folder = layout.IMAGE_ENVIRONMENTS / request.environment.lock_digest
    expected = f"1.17.0 {folder} workload\n"
    first = ran(request, host, backend)
    assert (first.state, selectors.read_log(first)[0]) == ("succeeded", expected)
    assert ask(SIX).state == "ready"

    watch_until(lambda: not kind.names(), host, backend)
    kind.client.images.remove(copy.image, force=True)
    without = ran(ask(SIX), host, backend)
    assert without.state == "failed"
    assert "does not have its image" in without.detail
    copy.refresh_from_db()
    assert copy.state == "removed"
    again = built(SIX, host, backend)
    assert ran(again, host, backend).state == "succeeded"


def test_another_host_makes_its_image_from_the_lock_alone_and_loses_it_when_it_is_removed(
    host: Host, kind: KeeperKind, backend: LocalBackend
) -> None:
    request = built(SIX, host, backend)
    assert request.environment is not None
    EnvironmentCopy.objects.all().delete()
    copy = copies.request_copy(request.environment, host)
    assert copy.workload is not None
    ended = watch_to_end(copy.workload, host, backend)
    assert "Resolving" not in selectors.read_log(ended)[0]
    copy.refresh_from_db()
    assert (copy.state, copy.image != "") == ("ready", True), copy.error

    EnvironmentCopy.objects.update(state="removed")
    for _ in range(2):
        copies.forget_removed()
    assert copy.image not in [tag for image in kind.client.images.list() for tag in image.tags]


def test_a_package_that_is_not_there_fails_with_what_to_do(host: Host, kind: KeeperKind, backend: LocalBackend) -> None:
    request = built("no-such-package-of-ours-0\n", host, backend)
    assert request.state == "failed"
    assert "no package 'no-such-package-of-ours-0'" in request.remedy
