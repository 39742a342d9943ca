from __future__ import annotations

import json
from pathlib import Path

from artifacts.evaluation.openings import BY_EVALUATE, BY_RUN, UNREADABLE, openings, record
from artifacts.run_directory import RunDirectory, write_json


def test_the_first_opening_of_an_earlier_version_is_in_its_certificate(
    finished_run: RunDirectory,
) -> None:
    (first,) = openings(finished_run)
    assert (first.opened, first.by) == ("2026-01-01T00:00:00+00:00", BY_RUN)
    assert record(finished_run, BY_EVALUATE, {"mirror": True}, "abc")
    assert openings(finished_run)[0] == first
    assert openings(finished_run)[1].options == {"mirror": True}


def test_every_opening_is_added(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert openings(run) == []
    for model in ("one", "two", "three"):
        assert record(run, BY_RUN, {}, model)
    assert [entry.model for entry in openings(run)] == ["one", "two", "three"]


def test_what_a_kill_left_of_a_line_counts_and_hurts_no_other(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    record(run, BY_RUN, {}, "one")
    with run.openings.open("a") as file:
        file.write('{"opened": "2026')
    record(run, BY_EVALUATE, {}, "two")
    assert [entry.by for entry in openings(run)] == [BY_RUN, UNREADABLE, BY_EVALUATE]


def test_lines_of_other_things_are_openings_nobody_knows_of(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.openings.write_bytes(b'[1, 2]\n\xff\n{"opened": "x", "by": "y"}\n3\n')
    assert {entry.by for entry in openings(run)} == {UNREADABLE}
    assert len(openings(run)) == 4


def test_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.openings.mkdir()
    assert not record(run, BY_RUN, {}, "one")


def test_a_run_without_a_test_split_was_never_opened(finished_run: RunDirectory) -> None:
    certificate = json.loads(finished_run.certificate.read_text())
    write_json(finished_run.certificate, certificate | {"test": None, "test_opened": None})
    assert openings(finished_run) == []
