"""What should run and serve, decided from plain facts."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from models.endpoints.plan import WARM_VERSIONS, Wish, make_plan, serving

A, B, C = (UUID(int=i) for i in (1, 2, 3))


def wish(number: int, state: str, *versions: UUID, is_way_back: bool = True) -> Wish:
    return Wish(UUID(int=100 + number), number, state, versions, is_way_back)


def test_the_first_deployment_serves_once_its_version_is_healthy() -> None:
    plan = make_plan([wish(1, "pending", A, is_way_back=False)], is_active=True)
    assert plan.wanted == (A,)
    assert serving(plan, set()) is None
    assert serving(plan, {A}) == plan.candidate


def test_what_serves_goes_on_until_the_new_one_is_healthy() -> None:
    plan = make_plan([wish(1, "live", A), wish(2, "starting", B, is_way_back=False)], is_active=True)
    assert serving(plan, {A}) == plan.live
    assert serving(plan, {A, B}) == plan.candidate
    assert plan.wanted == (A, B)


def test_the_version_before_stays_warm_and_older_ones_do_not() -> None:
    plan = make_plan(
        [wish(1, "superseded", A), wish(2, "superseded", B), wish(3, "live", C)],
        is_active=True,
    )
    assert plan.wanted == (C, B)


def test_what_served_last_stays_warm_whole_as_half_a_graph_cannot_answer() -> None:
    one_after_a_graph = [wish(1, "superseded", A, B), wish(2, "live", C)]
    assert make_plan(one_after_a_graph, is_active=True).wanted == (C, A, B)
    a_graph_after_one = [wish(1, "superseded", C), wish(2, "live", A, B)]
    assert make_plan(a_graph_after_one, is_active=True).wanted == (A, B, C)
    on_its_way = [*one_after_a_graph, wish(3, "starting", A, is_way_back=False)]
    assert make_plan(on_its_way, is_active=True).wanted == (C, A)


def test_what_never_served_is_not_kept_warm() -> None:
    failed = wish(2, "failed", B, is_way_back=False)
    overtaken = wish(3, "superseded", B, is_way_back=False)
    assert make_plan([wish(1, "live", A), failed, overtaken], is_active=True).wanted == (A,)


def test_the_newest_of_several_on_their_way_wins() -> None:
    plan = make_plan(
        [wish(1, "live", A), wish(2, "starting", B, is_way_back=False), wish(3, "pending", C, is_way_back=False)],
        is_active=True,
    )
    assert plan.candidate is not None
    assert plan.candidate.number == 3
    assert [w.number for w in plan.overtaken] == [2]


def test_a_dead_replica_does_not_take_the_live_deployment_from_the_table() -> None:
    plan = make_plan([wish(1, "live", A)], is_active=True)
    assert serving(plan, set()) == plan.live


def test_a_stopped_endpoint_wants_nothing() -> None:
    plan = make_plan([wish(1, "live", A), wish(2, "pending", B)], is_active=False)
    assert (plan.wanted, plan.candidate, plan.live) == ((), None, None)


STATES = st.sampled_from(["pending", "starting", "superseded", "failed"])


@given(st.lists(st.tuples(STATES, st.sampled_from([A, B, C])), max_size=8), st.sampled_from([None, A, B]))
def test_what_serves_or_is_to_serve_is_always_wanted(history: list[tuple[str, UUID]], live: UUID | None) -> None:
    wishes = [wish(index, state, version) for index, (state, version) in enumerate(history)]
    if live is not None:
        wishes.append(wish(len(history), "live", live))
    plan = make_plan(wishes, is_active=True)
    for needed in (plan.live, plan.candidate):
        assert needed is None or set(needed.versions) <= set(plan.wanted)
    assert len(plan.wanted) <= WARM_VERSIONS
    assert len(set(plan.wanted)) == len(plan.wanted)
