"""The new machine's side of joining: against the real platform, and what it keeps."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute import services
from modelwright.compute.models import Host
from modelwright.local import host_file, hosting, joining
from modelwright.local.host_file import NoHost
from modelwright.local.hosting import Hosting
from modelwright.local.joining import JoinFailed
from modelwright.local.layout import Layout
from tests.certificates import certificate

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "d")


def join(layout: Layout, platform: str, token: str, **more: Any) -> host_file.HostFile:
    values: dict[str, Any] = {"name": "gpu-1", "backend": "docker", "address": "10.0.0.7", **more}
    return joining.join(layout, platform, token=token, bridge_port=8200, **values)


def test_a_machine_joins_and_keeps_what_it_needs(layout: Layout, live_server: LiveServer, admin: User) -> None:
    _, token = services.create_join_token(acting_user=Actor.person(admin))
    joined = join(layout, live_server.url, token)
    assert Host.objects.get().name == "gpu-1"
    assert host_file.read(layout) == joined
    for path in (host_file.path(layout), *(host_file.secret(layout, name) for name in host_file.SECRETS)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    settings = Hosting(layout, joined).settings()
    assert settings["DATABASE_URL"] == "postgresql://modelwright@db.example.org/modelwright"
    assert settings["MODELWRIGHT_WEB_URL"] == "https://platform.example.org"
    assert (settings["MODELWRIGHT_HOST_NAME"], settings["MODELWRIGHT_BRIDGE_PORT"]) == ("gpu-1", "8200")
    assert "MLFLOW_DATABASE_URL" not in settings
    programs = [program.name for program in Hosting(layout, joined).programs()]
    assert programs == ["keeper", "worker", "watcher", "bridge"]


def test_containers_reach_the_gateway_where_the_platform_says(
    layout: Layout, live_server: LiveServer, admin: User, settings: Settings
) -> None:
    settings.HOSTS_GATEWAY_URL = "http://10.0.0.5:8001"
    _, token = services.create_join_token(acting_user=Actor.person(admin))
    joined = join(layout, live_server.url, token)
    assert host_file.read(layout).gateway_url == "http://10.0.0.5:8001"
    assert Hosting(layout, joined).settings()["MODELWRIGHT_HOST_GATEWAY_URL"] == "http://10.0.0.5:8001"
    assert relays(layout, joined) == ["platform.example.org:443", "10.0.0.5:8001"]
    one_for_both = replace(joined, gateway_url=f"{joined.web_url}/models")
    assert relays(layout, one_for_both) == ["platform.example.org:443"]
    assert relays(layout, replace(joined, gateway_url="")) == ["platform.example.org:443"]


def relays(layout: Layout, host: host_file.HostFile) -> list[str]:
    """What the keeper lets containers reach."""
    (keeper,) = [program for program in Hosting(layout, host).programs() if program.name == "keeper"]
    words = list(keeper.argv)
    return [words[index + 1] for index, word in enumerate(words) if word == "--relay"]


def test_without_an_address_there_is_no_bridge(layout: Layout, live_server: LiveServer, admin: User) -> None:
    _, token = services.create_join_token(acting_user=Actor.person(admin))
    joined = join(layout, live_server.url, token, address="", backend="process")
    assert joined.address == "", "the platform is on this machine"
    assert [program.name for program in Hosting(layout, joined).programs()] == ["worker", "watcher"]


def test_a_manager_of_a_swarm_joins_with_an_entrance_in_place_of_a_bridge(
    layout: Layout, live_server: LiveServer, admin: User
) -> None:
    _, token = services.create_join_token(acting_user=Actor.person(admin))
    joined = join(layout, live_server.url, token, backend="swarm", registry="registry.example.org/ml")
    assert Host.objects.get().backend == "swarm"
    assert host_file.read(layout) == joined
    programs = {program.name: program for program in Hosting(layout, joined).programs()}
    assert list(programs) == ["keeper", "worker", "watcher"]
    words = list(programs["keeper"].argv)
    for name, value in {
        "--backend": "swarm",
        "--shelf": "10.0.0.7:8090",
        "--entrance": "8200",
        "--registry": "registry.example.org/ml",
    }.items():
        assert words[words.index(name) + 1] == value


@pytest.mark.parametrize(
    ("backend", "program", "options"),
    [
        ("process", "bridge", ("--tls-cert", "--tls-key")),
        ("docker", "bridge", ("--tls-cert", "--tls-key")),
        ("swarm", "keeper", ("--entrance-cert", "--entrance-key")),
    ],
)
def test_a_host_with_a_certificate_is_reached_encrypted(
    layout: Layout,
    live_server: LiveServer,
    admin: User,
    tmp_path: Path,
    backend: str,
    program: str,
    options: tuple[str, str],
) -> None:
    cert, key = certificate(tmp_path, "10.0.0.7")
    _, token = services.create_join_token(acting_user=Actor.person(admin))
    joined = join(layout, live_server.url, token, backend=backend, tls_cert=cert, tls_key=key)
    (found,) = [one for one in Hosting(layout, joined).programs() if one.name == program]
    words = list(found.argv)
    assert [words[words.index(name) + 1] for name in options] == [str(cert), str(key)]


def test_a_certificate_that_cannot_be_used_uses_up_nothing(
    layout: Layout, live_server: LiveServer, admin: User, tmp_path: Path
) -> None:
    _, token = services.create_join_token(acting_user=Actor.person(admin))
    cert, key = certificate(tmp_path)
    other, _ = certificate(tmp_path, name="other-")
    for given, why in [
        ({"tls_cert": cert}, "belong together"),
        ({"tls_cert": other, "tls_key": key}, "cannot be used"),
        ({"tls_cert": tmp_path / "missing", "tls_key": key}, "cannot be used"),
    ]:
        with pytest.raises(JoinFailed, match=why):
            join(layout, live_server.url, token, **given)
    assert join(layout, live_server.url, token).tls_cert == ""


def test_a_swarm_that_nobody_could_reach_is_not_joined(layout: Layout, live_server: LiveServer, admin: User) -> None:
    _, token = services.create_join_token(acting_user=Actor.person(admin))
    with pytest.raises(JoinFailed, match="--address"):
        join(layout, live_server.url, token, backend="swarm", address="")
    assert not Host.objects.exists()


def test_a_file_of_an_earlier_version_is_read(layout: Layout, live_server: LiveServer, admin: User) -> None:
    _, token = services.create_join_token(acting_user=Actor.person(admin))
    joined = join(layout, live_server.url, token)
    values = json.loads(host_file.path(layout).read_text())
    for name in ("shelf", "registry", "tls_cert", "tls_key", "gateway_url"):
        del values[name]
    host_file.path(layout).write_text(json.dumps(values))
    assert host_file.read(layout) == joined
    del values["host_id"]
    host_file.path(layout).write_text(json.dumps(values))
    with pytest.raises(NoHost, match="is damaged"):
        host_file.read(layout)


def test_a_refusal_is_told_in_the_platforms_words(layout: Layout, live_server: LiveServer, admin: User) -> None:
    with pytest.raises(JoinFailed, match=r"lets nobody join.*new one on the hosts page"):
        join(layout, live_server.url, "mwj_wrong")
    with pytest.raises(JoinFailed, match="address is a platform's"):
        join(layout, f"{live_server.url}/nowhere", "mwj_wrong")
    with pytest.raises(NoHost, match="no host yet"):
        host_file.read(layout)


@pytest.mark.parametrize("platform", ["http://127.0.0.1:9", "ftp://platform", "platform"])
def test_a_wrong_address_uses_up_nothing(layout: Layout, platform: str) -> None:
    with pytest.raises(JoinFailed):
        join(layout, platform, "mwj_wrong")


def test_a_directory_is_one_thing_only(layout: Layout, live_server: LiveServer, admin: User) -> None:
    _, token = services.create_join_token(acting_user=Actor.person(admin))
    (layout.postgres / "data").mkdir(parents=True)
    with pytest.raises(NoHost, match="holds a platform"):
        join(layout, live_server.url, token)
    (layout.postgres / "data").rmdir()
    joined = join(layout, live_server.url, token)
    with pytest.raises(NoHost, match="is the host gpu-1 already"):
        join(layout, live_server.url, token)
    host_file.removed_mark(layout).touch()
    with pytest.raises(NoHost, match="was removed"):
        hosting.check_present(layout, joined)
    services.remove_host(Host.objects.get(), acting_user=Actor.person(admin))
    _, token = services.create_join_token(acting_user=Actor.person(admin))
    hosting.check_present(layout, join(layout, live_server.url, token))
