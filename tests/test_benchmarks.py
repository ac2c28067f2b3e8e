"""What the benchmarks make of what they measured: statistics, counts, targets."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.counting.budget import Budget, Counted, least
from benchmarks.counting.processor import difference
from benchmarks.counting.statements import Asked, Statement, by_shape, count, parse
from benchmarks.report import Results, Run
from benchmarks.small_report import CLOSED, OPEN, Figure, SmallResults
from benchmarks.targets import Target


def statement(text: str, session: int = 1, application: str = "batchline-web") -> Statement:
    return Statement(application, session, text)


def test_the_statements_of_a_log_are_found_among_other_entries() -> None:
    log = (
        "#batchline-web|7# LOG:  statement: BEGIN\n"
        "#|8# LOG:  checkpoint starting: time\n"
        "#batchline-worker 01a2|9# LOG:  statement: \n"
        "\t        SELECT a\n"
        "\t        FROM b\n"
        "#batchline-web|7# ERROR:  no such table\n"
        "#batchline-web|7# STATEMENT:  SELECT 2\n"
        "#batchline-web|7# LOG:  statement: ROLLBACK\n"
    )
    found = parse(log)
    assert [(one.kind, one.session, one.shape) for one in found] == [
        ("web", 7, "BEGIN"),
        ("worker", 9, "SELECT a FROM b"),
        ("web", 7, "ROLLBACK"),
    ]
    assert parse("") == []


def test_a_shape_has_no_values() -> None:
    one = statement("SELECT * FROM a WHERE id = 'it''s'::uuid AND n IN (1, 2, 3) LIMIT 10")
    other = statement("SELECT * FROM a WHERE id = ''::uuid AND n IN (4, 5) LIMIT 2")
    assert one.shape == other.shape == "SELECT * FROM a WHERE id = ?::uuid AND n IN (?) LIMIT ?"
    counted = by_shape([one, statement("COMMIT"), other])
    assert counted == [("web", one.shape, 2), ("web", "COMMIT", 1)]


@pytest.mark.parametrize(
    ("texts", "asked"),
    [
        (["SELECT 1"], Asked(1, 1, 0)),
        (["BEGIN", "SELECT 1", "COMMIT"], Asked(3, 3, 1)),
        (["BEGIN", "UPDATE a SET b = 1", "ROLLBACK"], Asked(3, 3, 0)),
        # What is rolled back to a savepoint is still in the transaction.
        (["BEGIN", "ROLLBACK TO SAVEPOINT s", "DELETE FROM a", "COMMIT"], Asked(4, 4, 1)),
        (["SAVEPOINT s; SELECT ';'"], Asked(2, 1, 0)),
        (["BEGIN", "COPY items (a) FROM STDIN", "COMMIT"], Asked(3, 4, 1)),
        (["WITH a AS (UPDATE b SET c = 1 RETURNING d) SELECT d FROM a"], Asked(1, 1, 1)),
    ],
)
def test_statements_round_trips_and_commits_are_counted(texts: list[str], asked: Asked) -> None:
    assert count(map(statement, texts)) == asked


def test_each_session_has_transactions_of_its_own() -> None:
    mixed = [
        statement("BEGIN", session=1),
        statement("INSERT INTO a VALUES (1)", session=2),
        statement("INSERT INTO a VALUES (1)", session=1),
        statement("COMMIT", session=1),
    ]
    assert count(mixed).commits == 2


def counted(*numbers: int) -> Counted:
    return Counted(Budget(*numbers), [], Counter())


def test_of_several_batches_the_least_of_each_count_stands() -> None:
    assert least([counted(9, 9, 2, 50, 3), counted(8, 10, 2, 60, 3)]) == Budget(8, 9, 2, 50, 3)


def test_what_a_budget_exceeds_is_named() -> None:
    promised = Budget(10, 10, 2, 50, 1)
    assert promised.exceeds(promised) == {}
    assert Budget(11, 10, 2, 10, 3).exceeds(promised) == {
        "statements": (11, 10),
        "messages": (3, 1),
    }


def test_processor_time_between_two_readings_is_in_the_order_of_the_kinds() -> None:
    before = {"redis": 1.0, "web": 2.0, "slow": 5.0}
    after = {"redis": 1.5, "bare": 4.0, "web": 2.25, "slow": 4.0}  # a child of slow's has vanished
    used = difference(after, before)
    assert list(used.items()) == [("web", 0.25), ("slow", 0.0), ("redis", 0.5), ("bare", 4.0)]


def test_a_figure_has_a_median_and_percentiles() -> None:
    figure = Figure([5.0, 1.0, 3.0, 2.0, 4.0])
    assert figure.middle == 3.0
    assert figure.percentile(90) == 5.0
    assert figure.percentile(60) == 3.0
    assert figure.percentile(0) == 1.0
    assert Figure([float(n) for n in range(1, 101)]).percentile(90) == 90.0


@pytest.mark.parametrize(
    ("value", "at_least", "more_than", "reached"),
    [
        (2.0, True, False, True),
        (1.9, True, False, False),
        (2.0, True, True, False),
        (2.1, True, True, True),
        (2.0, False, False, True),
        (2.1, False, False, False),
        (2.0, False, True, False),
        (None, True, False, None),
    ],
)
def test_a_target_is_reached_or_not(
    value: float | None, at_least: bool, more_than: bool, reached: bool | None
) -> None:
    assert Target("it", value, 2.0, at_least, more_than).reached is reached


def small_results() -> SmallResults:
    return SmallResults(
        throughput={
            OPEN: {
                "chunked": Figure([100.0, 200.0, 300.0], [0.2, 0.2, 0.3]),
                "batchline": Figure([160.0, 150.0, 170.0], [0.1, 0.1, 0.1]),
            },
            CLOSED: {"batchline": Figure([90.0], [0.1])},
        },
        one_item={"batchline": Figure([14.0, 16.0, 15.0])},
        reads={"batchline": Figure([500.0], [0.1]), "bare": Figure([1000.0], [0.1])},
    )


def test_small_batches_have_four_targets() -> None:
    values = [(one.value, one.reached) for one in small_results().targets()]
    assert values == [(160.0, True), (0.8, False), (15.0, True), (0.5, False)]
    assert [one.value for one in SmallResults().targets()] == [None] * 4


def test_the_text_of_small_batches_has_each_contender() -> None:
    text = small_results().text()
    rows = [line for line in text.splitlines() if "Batchline" in line]
    assert len(rows) == 4
    assert SmallResults().text() == ""


def results() -> Results:
    def run(name: str, items: int, seconds: float, *, after: bool = False) -> Run:
        return Run(name, items, seconds, {"all": seconds}, after_small=after)

    return Results(
        machine={"processor": "one"},
        old_rows=5,
        runs=[
            run("floor", 10_000, 0.1),
            run("batchline", 10_000, 0.1),
            run("batchline", 10_000, 0.2),
            run("batchline", 10_000, 0.15),
            run("floor", 10_000, 0.1, after=True),
            run("batchline", 10_000, 0.3, after=True),
        ],
        small=small_results(),
    )


def test_runs_after_small_batches_are_kept_apart() -> None:
    measured = {one.what: one.value for one in results().targets() if one.value is not None}
    assert measured["time at 10,000, as a multiple of the floor's"] == pytest.approx(1.5)
    after = "time at 10,000, after small batches, as a multiple of the floor's"
    assert measured[after] == pytest.approx(3.0)
    assert "10,000, after small batches" in results().text()


def test_the_results_are_written_with_every_run(tmp_path: Path) -> None:
    results().write(tmp_path)
    document = json.loads((tmp_path / "results.json").read_text())
    assert len(document["runs"]) == 6
    assert document["small"]["batchesPerSecond"][OPEN]["batchline"] == [160.0, 150.0, 170.0]
    reached = {one["what"]: one["reached"] for one in document["targets"]}
    assert reached["one item, from submission to final summary, median ms"] is True
    assert "chord of chunks" in (tmp_path / "results.md").read_text()
