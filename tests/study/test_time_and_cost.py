"""What the report says of time and cost: lanes on nodes, the share of the slots that was used, epochs and hours."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from stored_studies import BUDGET, CUT, FULL, LIVE, MIXED, Stored

from study.figures.epochs import draw_epochs, epochs_info
from study.figures.timeline import UNKNOWN, draw_timeline, timeline_info
from study.page.spent import core_seconds, gpu_seconds, retrained, spent_section
from study.records import TrialRecord, read_study

Make = Callable[..., tuple[TrialRecord, ...]]
NOON = datetime(2026, 1, 2, 12)


def at(trial: TrialRecord, node: str | None, start: float, end: float | None) -> TrialRecord:
    """The trial on a node between two seconds after noon; it worked 2.5 s an epoch."""
    ended = None if end is None else NOON + timedelta(seconds=end)
    return replace(trial, node=node, started=NOON + timedelta(seconds=start), ended=ended)


def test_trainings_take_the_first_free_lane_of_their_node(trials_of: Make) -> None:
    a, b, c, d = trials_of([(FULL, 4), (CUT, 1), (FULL, 4), (LIVE, 2)])
    trials = [at(a, "one", 0, 10), at(b, "one", 2, 5), at(c, "two", 0, 10), at(d, "one", 6, None)]
    info = timeline_info({"search": trials})
    assert {span.number: (span.node, span.lane) for span in info.spans} == {
        0: ("one", 0), 1: ("one", 1), 2: ("two", 0), 3: ("one", 1),
    }  # fmt: skip
    assert info.lanes == (("one", 2), ("two", 1))
    assert (info.wall, info.active, info.slots) == (10, 10, 3)
    assert info.spans[-1].end == 10  # it runs still: up to the newest event
    assert info.occupied == pytest.approx((10 + 3 + 10 + 4) / 30)
    assert info.busy == pytest.approx((10 + 2.5 + 10 + 4) / 30)


def test_a_night_between_two_runs_is_not_idle_time(trials_of: Make) -> None:
    first, second = trials_of([(FULL, 4), (FULL, 4)])
    info = timeline_info({"search": [at(first, "n", 0, 10), at(second, "n", 1000, 1010)]})
    assert (info.wall, info.active, info.slots, info.occupied) == (1010, 20, 1, 1)


def test_a_clock_that_was_set_back_and_an_unknown_node_are_no_obstacle(trials_of: Make) -> None:
    (trial,) = trials_of([(FULL, 4)])
    info = timeline_info({"search": [at(trial, None, 0, -5)]})
    assert (info.spans[0].node, info.spans[0].end, info.occupied) == (UNKNOWN, 0, 0)
    assert draw_timeline(info).to_json()
    assert timeline_info({"search": [replace(trial, started=None)]}).spans == ()
    assert timeline_info({}).began is None


def test_a_bar_leads_to_its_trial_of_the_search_alone(trials_of: Make) -> None:
    trials = trials_of([(FULL, 4), (CUT, 1)])
    numbers = [set(trace.customdata) - {None} for trace in draw_timeline(timeline_info({"search": trials})).data]
    assert sorted(map(sorted, numbers)) == [[0], [1]]
    replicates = draw_timeline(timeline_info({"replicates": trials}))
    assert {number for trace in replicates.data for number in trace.customdata} == {None}


def test_epochs_are_counted_by_how_trials_ended(trials_of: Make) -> None:
    (search,) = epochs_info({"search": trials_of(MIXED)}, BUDGET).phases
    assert (search.full, search.stopped, search.failed, search.unfinished) == (12, 5, 1, 2)
    assert (search.saved, search.spent) == (3 + 1 + 3, 20)
    assert draw_epochs(epochs_info({"search": trials_of(MIXED)}, BUDGET)).to_json()
    assert epochs_info({"search": ()}, BUDGET).phases == ()


def test_cores_and_gpus_are_counted_as_occupied(trials_of: Make) -> None:
    trials = trials_of([(FULL, 4), (CUT, 1)])
    assert core_seconds(trials) == 5 * 2.5 * 2
    assert gpu_seconds(trials) == 5 * 2.5 * 0.5
    assert core_seconds([replace(trials[0], cpus=None)]) == 0


def test_the_section_tells_what_there_is(stored: Stored, finished_once: Stored) -> None:
    assert "nothing was spent" in spent_section(read_study(stored.folder)).body
    body = spent_section(read_study(finished_once.folder)).body
    assert retrained(read_study(finished_once.folder))[:2] == (2, 6.0)
    for words in (
        "4 trainings of the study served the test as well",
        "By phase",
        "retraining",
        "replicates",
        "at once on 1 node",
        "would have taken",
        "it saved 7",
    ):
        assert words in body


def test_trainings_that_were_taken_over_are_counted_once(finished_once: Stored) -> None:
    record = read_study(finished_once.folder)
    evaluation = record.evaluation or {}
    all_taken = replace(record, evaluation=evaluation | {"taken_over": {"winner": 3, "square": 3}})
    assert "retraining" not in spent_section(all_taken).body
    before = replace(record, evaluation={name: value for name, value in evaluation.items() if name != "taken_over"})
    assert retrained(before)[:2] == (6, 18.0)
    assert "did not record which of the retrainings were taken over" in spent_section(before).body
