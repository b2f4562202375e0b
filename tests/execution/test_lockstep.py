"""Functions in lockstep: what is asked together, failures, and an end at any time."""

import threading
from contextlib import closing

import pytest

from veldist.execution.lockstep import run_in_lockstep


def double(pending):
    return {k: 2 * value for k, value in pending.items()}


def test_questions_are_collected_until_all_wait():
    rounds = []

    def serve(pending):
        rounds.append(sorted(pending))
        return double(pending)

    def count(n):
        return lambda ask: [ask(10 * n + k) for k in range(n)]

    outcomes = {o.index: o.value for o in run_in_lockstep([count(3), count(1), count(2)], serve)}
    assert outcomes == {0: [60, 62, 64], 1: [20], 2: [40, 42]}
    assert rounds == [[0, 1, 2], [0, 2], [0]]


def test_those_who_are_not_answered_wait():
    rounds = []

    def serve(pending):
        rounds.append(sorted(pending.items()))
        first = min(pending)
        return {first: pending[first]}

    outcomes = list(run_in_lockstep([lambda ask: ask("a") + ask("b"), lambda ask: ask("c")], serve))
    assert [(o.index, o.value) for o in outcomes] == [(0, "ab"), (1, "c")]
    assert rounds == [[(0, "a"), (1, "c")], [(0, "b"), (1, "c")], [(1, "c")]]


def test_a_failure_is_an_outcome_and_the_others_go_on():
    def bad(ask):
        ask(1)
        raise ValueError("no")

    outcomes = {o.index: o for o in run_in_lockstep([bad, lambda ask: ask(1) + ask(2)], double)}
    assert isinstance(outcomes[0].error, ValueError)
    assert outcomes[0].value is None
    assert outcomes[1].value == 6
    assert outcomes[1].error is None


def test_when_answering_fails_all_who_wait_are_told():
    def serve(pending):
        raise RuntimeError("out of memory")

    outcomes = list(run_in_lockstep([lambda ask: ask(1), lambda ask: ask(2)], serve))
    assert sorted(o.index for o in outcomes) == [0, 1]
    assert all("out of memory" in str(o.error) for o in outcomes)


def test_no_thread_is_left_behind():
    before = threading.active_count()

    def endless(ask):
        while True:
            ask(1)

    with closing(run_in_lockstep([endless, lambda ask: 5, endless], double)) as outcomes:
        assert next(outcomes).value == 5
        assert threading.active_count() == before + 2
    assert threading.active_count() == before


def test_an_interrupt_while_answering_ends_all():
    before = threading.active_count()

    def serve(pending):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run_in_lockstep([lambda ask: ask(1)] * 3, serve))
    assert threading.active_count() == before


def test_nothing_to_do():
    assert list(run_in_lockstep([], double)) == []
