"""Preparation on a Dask cluster of separate worker processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from data_prep.errors import UserError
from data_prep.preparation.clip import Preparation
from data_prep.preparation.job import Execution, PreparationProgress
from data_prep.preparation.prepare import prepare

SMALL = Preparation(frames=4, size=32)


@pytest.fixture(autouse=True)
def _not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Preparing in this process fails; it is done in others, which know nothing of this."""
    monkeypatch.delattr("data_prep.preparation.part_work._prepare")


@pytest.fixture
def source(tmp_path: Path, face_video: bytes) -> Path:
    """Eight people, one real and one fake video of each."""
    root = tmp_path / "people"
    for person in range(8):
        for path in (root / "real" / f"p{person}.mp4", root / "fake" / f"p{person}_swap.mp4"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(face_video + b"\0\0\0\x10free" + path.name[:8].encode().ljust(8))
    return root


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_makes_the_same_store(
    cluster: LocalCluster, source: Path, tmp_path: Path
) -> None:
    with Client(cluster, set_as_default=False) as client:
        workers = list(client.run(os.getpid).values())
    assert len(workers) == 2
    assert os.getpid() not in workers

    def kill_one(done: int, total: int) -> None:
        if done == 3:
            os.kill(workers[0], signal.SIGKILL)

    summary = prepare(
        source,
        tmp_path / "cluster.h5",
        SMALL,
        execution=Execution(cluster=cluster.scheduler_address),
        progress=PreparationProgress(preparing=kill_one),
    )
    assert (summary.clips, summary.quarantined) == (16, ())
    with pytest.raises(ProcessLookupError):
        os.kill(workers[0], 0)
    here = prepare(source, tmp_path / "here.h5", SMALL, execution=Execution(jobs=2))
    assert summary.fingerprint == here.fingerprint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cluster.h5", "here.h5", "people"]


@pytest.mark.slow
def test_a_store_named_from_here_is_found_by_workers_elsewhere(
    cluster: LocalCluster, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(cluster, set_as_default=False) as client:
        client.run(os.chdir, "/")
    monkeypatch.chdir(tmp_path)
    summary = prepare(
        Path("people"),
        Path("store.h5"),
        SMALL,
        execution=Execution(cluster=cluster.scheduler_address),
    )
    assert (summary.clips, summary.quarantined) == (16, ())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["people", "store.h5"]


@pytest.mark.slow
def test_a_video_that_kills_workers_is_quarantined(source: Path, tmp_path: Path) -> None:
    deadly = source / "real" / "deadly.mp4"
    deadly.write_bytes((source / "real" / "p0.mp4").read_bytes())
    # Stands in for a decoder that crashes, in every process that starts with it on its path.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, av\n"
        "whole = av.open\n"
        "def open(name, *more, **named):\n"
        "    return os.kill(os.getpid(), 9) if 'deadly' in name else whole(name, *more, **named)\n"
        "av.open = open\n"
    )
    code = (
        "import sys; from pathlib import Path; from distributed import LocalCluster\n"
        "from data_prep.preparation.prepare import *\n"
        "if __name__ == '__main__':\n"
        "    options = dict(n_workers=2, threads_per_worker=1, dashboard_address=None)\n"
        "    with LocalCluster(**options) as made:\n"
        "        found = prepare(Path(sys.argv[1]), Path(sys.argv[2]),\n"
        "                        Preparation(frames=4, size=32),\n"
        "                        execution=Execution(cluster=made.scheduler_address))\n"
        "    print(found.clips, [(Path(e.path).name, e.reason) for e in found.quarantined])\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    result = subprocess.run(
        [sys.executable, script, source, tmp_path / "store.h5"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}"},
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == (
        "16 [('deadly.mp4', 'the worker process died on this video; it may need more memory')]\n"
    )


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for a second only."""
    monkeypatch.setattr("data_prep.workers._CONNECT_SECONDS", 1)


@pytest.mark.usefixtures("_impatient")
def test_an_address_where_nobody_answers_is_one_line(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:1: ") as raised:
        prepare(
            source, tmp_path / "store.h5", SMALL, execution=Execution(cluster="tcp://127.0.0.1:1")
        )
    assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match="no Dask scheduler at nonsense"):
        prepare(source, tmp_path / "store.h5", SMALL, execution=Execution(cluster="nonsense://x"))


@pytest.mark.usefixtures("_impatient")
def test_a_cluster_without_workers_is_one_line(source: Path, tmp_path: Path) -> None:
    with (
        LocalCluster(n_workers=0, dashboard_address=None) as empty,
        pytest.raises(UserError, match="has no workers; start some: dask worker tcp://"),
    ):
        prepare(
            source,
            tmp_path / "store.h5",
            SMALL,
            execution=Execution(cluster=empty.scheduler_address),
        )


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_one_line_and_the_clips_are_kept(
    source: Path, tmp_path: Path
) -> None:
    real = source / "real" / "p0.mp4"
    for number in range(60):
        (source / "real" / f"p{8 + number}.mp4").symlink_to(real)
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard"]
    address_file = tmp_path / "scheduler.json"
    with subprocess.Popen(
        [*dask, "--port", "0", "--scheduler-file", address_file], stderr=subprocess.DEVNULL
    ) as scheduler:
        while not address_file.exists():
            assert scheduler.poll() is None
            time.sleep(0.1)
        with Client(scheduler_file=str(address_file), set_as_default=False) as client:
            address = client.scheduler.address
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1"]
        with subprocess.Popen(
            [*worker, "--no-dashboard", "--death-timeout", "5"], stderr=subprocess.DEVNULL
        ) as working:
            try:
                with Client(address, set_as_default=False) as client:
                    client.wait_for_workers(1, timeout=60)
                with pytest.raises(
                    UserError, match=r"the cluster at tcp://.* has stopped"
                ) as raised:
                    prepare(
                        source,
                        tmp_path / "store.h5",
                        SMALL,
                        execution=Execution(cluster=address),
                        progress=PreparationProgress(
                            preparing=lambda done, total: done == 3 and scheduler.kill()
                        ),
                    )
            finally:
                working.terminate()
    assert "\n" not in str(raised.value)
    summary = prepare(source, tmp_path / "store.h5", SMALL)
    assert summary.clips == 76
    assert 3 <= summary.resumed < 76
