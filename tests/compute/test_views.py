"""Pages of hosts, environments and workloads."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from modelwright.accounts.models import User
from modelwright.compute.models import Environment, Host

from .support import fresh, queue

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
    assert "Drain" not in page
    assert "Drain" in browser_client(admin).get("/hosts/").content.decode()


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
