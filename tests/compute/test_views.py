"""Pages of hosts, environments and workloads."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from modelwright.accounts.models import User
from modelwright.compute import placement, services
from modelwright.compute.models import Environment, EnvironmentCopy, Host, ResourceProfile

from .support import ACTOR, fresh, gpu_host, queue

Browser = Callable[[User], Client]
pytestmark = pytest.mark.django_db


@pytest.fixture
def environment(db: None) -> Environment:
    return Environment.objects.create(lock_digest="ab" * 32, lock="six==1.17.0\n", python_version="3.11", size_bytes=7)


def test_the_hosts_page_shows_free_room_and_buttons_only_to_administrators(
    host: Host, browser_client: Browser, admin: User, stranger: User
) -> None:
    page = browser_client(stranger).get("/hosts/").content.decode()
    assert "test-host" in page
    assert "4 of 4" in page
    assert "Drain</" not in page
    assert "/drain/" in browser_client(admin).get("/hosts/").content.decode()


def test_hosts_are_found_by_label(host: Host, browser_client: Browser, stranger: User) -> None:
    gpu_host()
    client = browser_client(stranger)
    for label, found in (("gpu=h100", True), ("gpu", True), ("gpu=a100", False)):
        page = client.get("/hosts/", {"label": label}).content.decode()
        assert ("gpu-host" in page, ">test-host<" in page) == (found, False)
    assert "2 of 2" in client.get("/hosts/", {"label": "gpu"}).content.decode()


def test_the_page_of_a_host_shows_who_has_its_gpus_to_those_who_may_know(
    browser_client: Browser, auditor: User, stranger: User
) -> None:
    host = gpu_host()
    workload = queue(gpus=1, name="secret-project/train #1")
    placement.place_queue()
    url = f"/hosts/{host.pk}/"
    page = browser_client(auditor).get(url).content.decode()
    assert f'/workloads/{workload.pk}/">secret-project/train #1</a>' in page
    assert "nobody: It does not answer: GPU is lost." in page
    assert "gpu=h100" in page
    assert "1 of 2" in page
    page = browser_client(stranger).get(url).content.decode()
    assert "secret-project" not in page
    assert "a run" in page


def test_the_page_of_a_host_says_what_is_wrong_with_its_gpus(browser_client: Browser, stranger: User) -> None:
    host = services.announce_host(
        name="broken",
        cpu=1,
        memory_bytes=2**30,
        gpus=[],
        facts={"gpu_problem": "The GPU driver answers: version mismatch."},
        acting_user=ACTOR,
    )
    assert "version mismatch" in browser_client(stranger).get(f"/hosts/{host.pk}/").content.decode()


def test_a_copy_that_failed_is_said_on_both_pages(
    host: Host, environment: Environment, browser_client: Browser, stranger: User
) -> None:
    EnvironmentCopy.objects.create(
        environment=environment, host=host, state="failed", error="The disk is full.", remedy="Add space."
    )
    client = browser_client(stranger)
    for url in (f"/hosts/{host.pk}/", f"/environments/{environment.pk}/"):
        page = client.get(url).content.decode()
        assert "The disk is full." in page
        assert "Add space." in page


def test_sizes_are_made_changed_and_deleted_on_pages(browser_client: Browser, admin: User, stranger: User) -> None:
    client = browser_client(admin)
    values = {"name": "one-gpu", "cpu": "4", "memory_gib": "16", "gpus": "1", "labels": "gpu=h100"}
    page = client.post("/profiles/new/", values, follow=True).content.decode()
    assert "The size one-gpu can be asked for." in page
    assert "gpu=h100</code>" in page
    profile = ResourceProfile.objects.get(name="one-gpu")
    assert (profile.memory_bytes, profile.gpus, profile.labels) == (16 * 2**30, 1, {"gpu": "h100"})
    assert "gpu=h100</textarea>" in client.get(f"/profiles/{profile.pk}/").content.decode()
    assert client.post("/profiles/new/", values).status_code == 409
    assert client.post(f"/profiles/{profile.pk}/", {**values, "cpu": "0"}).status_code == 422
    client.post(f"/profiles/{profile.pk}/", {**values, "gpus": "2"})
    profile.refresh_from_db()
    assert profile.gpus == 2
    other = browser_client(stranger)
    assert "New size" not in other.get("/profiles/").content.decode()
    assert other.post(f"/profiles/{profile.pk}/delete/").status_code == 403
    assert other.get(f"/profiles/{profile.pk}/delete/").status_code == 403
    assert "Delete the size one-gpu" in client.get(f"/profiles/{profile.pk}/delete/").content.decode()
    assert ResourceProfile.objects.filter(name="one-gpu").exists()
    client.post(f"/profiles/{profile.pk}/delete/")
    assert not ResourceProfile.objects.filter(name="one-gpu").exists()


def test_without_hosts_the_page_says_what_to_do(browser_client: Browser, stranger: User) -> None:
    assert "modelwright up" in browser_client(stranger).get("/hosts/").content.decode()


def test_draining_from_the_page(host: Host, browser_client: Browser, admin: User, stranger: User) -> None:
    assert browser_client(stranger).post(f"/hosts/{host.pk}/drain/").status_code == 403
    answer = browser_client(admin).post(f"/hosts/{host.pk}/drain/", follow=True)
    assert "takes no new workloads" in answer.content.decode()
    assert "Activate" in answer.content.decode()
    browser_client(admin).post(f"/hosts/{host.pk}/activate/")
    assert Host.objects.get().state == "active"


def test_environments_are_found_by_package(browser_client: Browser, stranger: User, environment: Environment) -> None:
    client = browser_client(stranger)
    assert str(environment) in client.get("/environments/?package=six").content.decode()
    assert "Nothing matches" in client.get("/environments/?package=tensorflow").content.decode()
    page = client.get(f"/environments/{environment.pk}/").content.decode()
    assert "six==1.17.0" in page
    assert "Delete the files" not in page
    assert client.post(f"/environments/{environment.pk}/").status_code == 403


def test_an_administrator_deletes_the_files_of_an_environment(
    browser_client: Browser, admin: User, environment: Environment, data: object
) -> None:
    answer = browser_client(admin).post(f"/environments/{environment.pk}/", follow=True)
    assert "are deleted" in answer.content.decode()
    environment.refresh_from_db()
    assert environment.state == "removed"


def test_workloads_are_for_administrators_and_auditors(
    host: Host, browser_client: Browser, admin: User, auditor: User, stranger: User
) -> None:
    workload = queue(name="training <b>")
    paths = ["/workloads/", f"/workloads/{workload.pk}/", f"/workloads/{workload.pk}/log/"]
    for person in (admin, auditor):
        for path in paths:
            assert browser_client(person).get(path).status_code == 200
    for path in paths:
        assert browser_client(stranger).get(path).status_code == 403
    page = browser_client(admin).get("/workloads/?kind=run").content.decode()
    assert "training &lt;b&gt;" in page


def test_an_administrator_cancels_a_workload(host: Host, browser_client: Browser, admin: User, auditor: User) -> None:
    workload = queue()
    assert browser_client(auditor).post(f"/workloads/{workload.pk}/cancel/").status_code == 403
    assert browser_client(admin).post(f"/workloads/{workload.pk}/cancel/").status_code == 302
    assert fresh(workload).state == "cancelled"
    assert browser_client(admin).post(f"/workloads/{workload.pk}/cancel/").status_code == 409


def test_the_log_is_polled_from_any_offset(host: Host, browser_client: Browser, admin: User) -> None:
    workload = queue()
    for offset in ("", "0", "-1", "x", "9" * 40):
        answer = browser_client(admin).get(f"/workloads/{workload.pk}/log/?offset={offset}").json()
        assert (answer["text"], answer["finished"]) == ("", False)
