"""Whatever is asked, in whatever order, whatever breaks and wherever the reconciler is cut off: it ends in what was
last asked for. Real PostgreSQL, real route table; model servers, gateway and host are simulated, so that it is fast."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from models.endpoints import hastening, reconciler, replicas, routes, selectors, services, switching
from models.endpoints.models import Deployment, Endpoint, PublishedRoutes, Replica
from models.gateway import table_file
from models.gateway.rollback import CannotGoBack, go_back
from models.registry.models import ModelVersion, RegisteredModel
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute import hints
from modelwright.compute.models import Host
from projects.models import Project
from tests.endpoints.simulated import ModelServers, SimulatedGateway, SimulatedHost
from tests.models_support import ready_environment

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

VERSIONS = 4  # The last of them cannot be started.
CUTS = st.integers(0, 60)
TABLES = ("deploymenttarget", "replica", "deployment", "endpointkey", "endpoint", "publishedroutes")


class CutOff(BaseException):
    """The process is killed here. No handler for errors sees it."""


@contextmanager
def at_statement(number: int, then: Callable[[], None]) -> Iterator[None]:
    """Do `then` right before the statement of that number that this thread asks of PostgreSQL, or the writing of the
    table, which counts as one more before and one after it."""
    left = number

    def count() -> None:
        nonlocal left
        left -= 1
        if left == -1:
            then()

    def wrapper(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        count()
        return execute(sql, parameters, many, context)

    replace = table_file.replace

    def replace_with_care(path: Path, table: dict[str, Any]) -> None:
        count()
        replace(path, table)
        count()

    with connection.execute_wrapper(wrapper), pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_file, "replace", replace_with_care)
        yield


def cut_off() -> None:
    raise CutOff


class World:
    """What all runs of the machine share."""

    def __init__(self, project: Project, ann: User, host: Host, gateway: SimulatedGateway) -> None:
        self.project, self.actor, self.gateway = project, Actor.person(ann), gateway
        self.servers = ModelServers()
        self.versions = [self._version(number) for number in range(1, VERSIONS + 1)]
        hopeless = str(self.versions[-1].pk)
        self.host = SimulatedHost(host, self.servers, lambda version_id: version_id == hopeless)
        # Where another process does something in the middle of what this one does.
        self.elsewhere = ThreadPoolExecutor(1)

    def _version(self, number: int) -> ModelVersion:
        model, _ = RegisteredModel.objects.get_or_create(project=self.project, name="wine")
        made: ModelVersion = ModelVersion.objects.create(
            model=model,
            number=number,
            state="ready",
            source="models:/m",
            manifest_digest=uuid4().hex * 2,
            artifact_digest=uuid4().hex * 2,
            size=1000,
            flavor="sklearn",
            environment_request=ready_environment(),
        )
        return made

    def clear(self) -> None:
        for socket in self.servers.sockets:
            self.servers.stop(socket)
        with connection.cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"DELETE FROM endpoints_{table}")
            cursor.execute("DELETE FROM compute_workload")
        routes.routes_file().unlink(missing_ok=True)
        self.gateway.frozen = False
        self.gateway.restart()

    def close(self) -> None:
        self.elsewhere.submit(lambda: connection.close()).result(60)
        self.elsewhere.shutdown()
        self.servers.close()


WORLD: list[World] = []


class Machine(RuleBasedStateMachine):
    """People ask, things break, the reconciler comes round or is cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.world = WORLD[0]
        self.world.clear()
        self.world.host.on_end = self._ended
        self.crashed: set[UUID] = set()  # versions of which a replica crashed since the newest deployment
        self.command: str = ""  # the deployment made on the gateway's host that the database does not know yet
        self.was_stopped = False  # since the gateway took up a table
        self.cut = False

    @initialize()
    def make_endpoint(self) -> None:
        self.endpoint = services.create_endpoint(project=self.world.project, name="wine", acting_user=self.world.actor)

    # What people ask.

    @rule(version=st.integers(0, VERSIONS - 1))
    def deploy(self, version: int) -> None:
        services.deploy(self.endpoint, model_version=self.world.versions[version], acting_user=self.world.actor)
        self.crashed = set()

    @rule(back=st.integers(0, 3), at_once=st.booleans())
    def roll_back(self, back: int, at_once: bool) -> None:
        choices = selectors.rollback_choices(self.endpoint)
        if choices:
            made = services.rollback(
                self.endpoint, to=choices[back % len(choices)], reason="worse", acting_user=self.world.actor
            )
            self.crashed = set()
            if at_once:
                switching.switch(made)

    @rule()
    def stop(self) -> None:
        self.was_stopped = services.stop(self.endpoint, acting_user=self.world.actor).state == "stopped"

    @precondition(lambda self: not self.command)
    @rule()
    def roll_back_on_the_host(self) -> None:
        try:
            go_back(routes.routes_file(), self.endpoint.path, reason="no database", by="root")
        except CannotGoBack:
            return
        self.command = self._file()[self.endpoint.path]["deployment_id"]

    # What happens to it.

    @rule()
    def host_turns(self) -> None:
        self.world.host.turn()

    @rule(which=st.integers(0, 5))
    def a_replica_crashes(self, which: int) -> None:
        running = list(Replica.objects.filter(workload__state="running").select_related("workload").order_by("pk"))
        if running:
            replica = running[which % len(running)]
            self.world.host.crash(replica)
            self.crashed.add(replica.model_version_id)

    @rule(frozen=st.booleans())
    def the_gateway_hangs_or_goes_on(self, frozen: bool) -> None:
        self.world.gateway.frozen = frozen

    @rule()
    def the_gateway_restarts(self) -> None:
        self.world.gateway.frozen = False
        self.world.gateway.restart()

    # What the reconciler does.

    @rule()
    def tick(self) -> None:
        reconciler.tick()
        self._note_adopted()

    @rule()
    def hasten(self) -> None:
        hastening.hasten(self.endpoint.pk)

    @rule(number=CUTS, hastily=st.booleans())
    def is_cut_off(self, number: int, hastily: bool) -> None:
        try:
            with at_statement(number, cut_off):
                hastening.hasten(self.endpoint.pk) if hastily else reconciler.tick()
        except CutOff:
            self.cut = True
        self._note_adopted()

    @rule(number=CUTS, version=st.integers(0, VERSIONS - 1), back=st.booleans())
    def is_overtaken(self, number: int, version: int, back: bool) -> None:
        """In the middle of a round somebody asks for something, and it is hastened at once."""
        world = self.world

        def ask() -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '100ms'")
            try:
                choices = selectors.rollback_choices(self.endpoint) if back else ()
                if choices:
                    services.rollback(self.endpoint, to=choices[0], reason="worse", acting_user=world.actor)
                elif not back:
                    services.deploy(self.endpoint, model_version=world.versions[version], acting_user=world.actor)
                hastening.hasten(self.endpoint.pk)
            except OperationalError:
                pass  # It would have waited for the round, which waits for it here.

        with at_statement(number, lambda: world.elsewhere.submit(ask).result(30)):
            reconciler.tick()
        self.crashed = set()
        self._note_adopted()

    # What always holds.

    @invariant()
    def numbers_have_no_gaps_and_at_most_one_is_live(self) -> None:
        rows = list(Deployment.objects.order_by("number").values_list("number", "state"))
        assert [number for number, _ in rows] == list(range(1, len(rows) + 1))
        assert sum(state == "live" for _, state in rows) <= 1

    @invariant()
    def the_file_holds_what_the_database_says_was_published(self) -> None:
        row = PublishedRoutes.objects.filter(pk=1).first()
        if not self.cut and not self.command and row is not None:
            assert self._file() == row.endpoints

    def _ended(self, socket: str) -> None:
        """Nothing that the gateway asks is taken away from it while the endpoint is to answer."""
        if not self.was_stopped and not self.command:
            assert socket not in {each for target in self.world.gateway.table.targets() for each in target.sockets}

    # How it ends.

    def teardown(self) -> None:
        try:
            if hasattr(self, "endpoint"):
                self._ends_in_what_was_asked_for()
        finally:
            self.world.clear()

    def _ends_in_what_was_asked_for(self) -> None:
        self.world.gateway.frozen = False
        before: object = None
        for _ in range(20):
            self.world.host.turn()
            reconciler.tick()
            self._note_adopted()
            now = [
                list(model.objects.order_by("pk").values_list("pk", field))
                for model, field in ((Replica, "workload__state"), (Deployment, "state"), (PublishedRoutes, "revision"))
            ]
            if now == before:
                break
            before = now
        self.cut = False
        assert not self.command, "what was rolled back on the gateway's host is on record"
        endpoint = Endpoint.objects.get()
        newest = Deployment.objects.order_by("-number").first()
        live = selectors.live_deployment(endpoint)
        assert not Deployment.objects.filter(state__in=("pending", "starting")).exists()
        if newest is None or endpoint.state == "stopped":
            assert live is None
        elif newest.state == "failed":
            versions = {target.model_version_id for target in newest.targets.all()}
            assert versions & (self.crashed | {self.world.versions[-1].pk})
        else:
            assert live == newest
        self._the_table_is_equal_to(live)
        self.the_file_holds_what_the_database_says_was_published()
        self._live_is_on_record_once()

    def _the_table_is_equal_to(self, live: Deployment | None) -> None:
        entries = self._file()
        assert routes.gateway_revision() == (table_file.read(routes.routes_file()) or {})["revision"]
        if live is None:
            assert entries == {}
            return
        entry = entries[self.endpoint.path]
        assert entry["deployment_id"] == str(live.pk)
        wanted = {str(target.model_version_id) for target in live.targets.all()}
        assert {target["model_version_id"] for target in entry["targets"]} == wanted
        for target in entry["targets"]:
            assert target["sockets"]
            assert set(target["sockets"]) <= self.world.servers.sockets
        kept = Replica.objects.filter(workload__finished_at=None, workload__cancel_requested_at=None)
        assert len({replica.model_version_id for replica in kept}) <= 2

    def _live_is_on_record_once(self) -> None:
        for deployment in Deployment.objects.exclude(live_at=None):
            events = AuditEvent.objects.filter(target_id=str(deployment.pk), action="deployment.live")
            assert events.count() == 1

    def _file(self) -> dict[str, Any]:
        return dict((table_file.read(routes.routes_file()) or {}).get("endpoints", {}))

    def _note_adopted(self) -> None:
        if self.command and Deployment.objects.filter(pk=self.command).exists():
            self.command = ""
        if not self.world.gateway.frozen and not self.command:
            self.was_stopped = Endpoint.objects.get().state == "stopped"


@pytest.fixture
def world(
    project: Project, ann: User, host: Host, data: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    settings.HOST_NAME = host.name
    gateway = SimulatedGateway(routes.routes_file())
    settings.GATEWAY_URL = settings.GATEWAY_INTERNAL_URL = gateway.url
    # No worker is told of what is queued, and what crashes is replaced without a pause.
    monkeypatch.setattr(hints, "_send", lambda *_arguments, **_options: False)
    monkeypatch.setattr(replicas, "LONGEST_PAUSE_SECONDS", 0)
    monkeypatch.setattr(hastening, "GATEWAY_SECONDS", 0.02)
    made = World(project, ann, host, gateway)
    WORLD.append(made)
    yield
    WORLD.clear()
    made.close()
    gateway.close()


def test_any_order_of_what_is_asked_and_what_breaks_ends_in_what_was_last_asked_for(world: None) -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=int(os.environ.get("MODELWRIGHT_MACHINE_EXAMPLES", "20")),
            stateful_step_count=25,
            deadline=None,
            # The same orders each time; others where somebody asks for more of them.
            derandomize="MODELWRIGHT_MACHINE_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )
