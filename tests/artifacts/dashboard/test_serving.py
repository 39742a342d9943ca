"""The dashboard shows a run with what its trials left, and changes nothing."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from artifacts.dashboard import serving as dashboard
from artifacts.dashboard.files import RunArtifacts
from artifacts.dashboard.view import ReadOnlyError, View
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError

pytest.importorskip("optuna_dashboard")

PNG = b"\x89PNG\r\n\x1a\n"
# As the studies are called in a storage that others use as well.
NAMES = {stage: f"run-1/{stage}" for stage in ("architecture", "gan", "training")}


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A run directory with the files of three trials."""
    run = RunDirectory(tmp_path / "run")
    for stage in NAMES:
        folder = run.trial(stage, 0)
        folder.mkdir(parents=True)
        (folder / "history.csv").write_text("epoch,loss,val_auc\n1,0.7,0.6\n2,0.6,0.8\n")
    (run.trial("gan", 0) / "faces.png").write_bytes(PNG + b"faces")
    (run.trial("training", 0) / "error.txt").write_text("Traceback: out of memory")
    return run


@pytest.fixture
def storage(tmp_path: Path) -> BaseStorage:
    """The studies of the run, and one of another run."""
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "studies.log")))
    for stage, name in {**NAMES, "other": "run-2/architecture"}.items():
        direction = "minimize" if stage == "gan" else "maximize"
        study = optuna.create_study(study_name=name, storage=storage, direction=direction)
        trial = study.ask({"width": optuna.distributions.IntDistribution(1, 4)})
        trial.report(0.6, 1)
        if stage == "architecture":
            chosen = {"detector/spatial/backbone": "small_cnn", "detector/temporal/kind": "mean"}
            trial.set_user_attr("hyperparameters", chosen)
        if stage == "training":
            chosen = {"architecture": "0", "optimizer": "adam", "learning_rate": 0.001}
            chosen |= {"batch_size": 8, "samples": 2048}
            trial.set_user_attr("hyperparameters", chosen)
            trial.set_user_attr("reason", "out of memory")
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, 0.8)
    return storage


class Page:
    """Asks a served dashboard."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.address = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> tuple[str, bytes]:
        """Type and content."""
        with urllib.request.urlopen(self.address + path) as answer:
            return answer.headers.get_content_type(), answer.read()

    def headers(self, path: str) -> Message:
        """Headers of an answer."""
        with urllib.request.urlopen(self.address + path) as answer:
            return answer.headers

    def json(self, path: str) -> Any:
        """Content as JSON."""
        return json.loads(self.get(path)[1])

    def refused(self, method: str, path: str, body: Any) -> tuple[int, str]:
        """Status and reason of what is not done."""
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(
            self.address + path, method=method, data=data, headers=headers
        )
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(request)
        with contextlib.closing(refusal.value) as answer:
            return answer.code, json.loads(answer.read())["reason"]

    def called(self, host: str) -> int:
        """Status of an answer to somebody who calls the machine so."""
        request = urllib.request.Request(f"{self.address}/api/studies", headers={"Host": host})
        try:
            with urllib.request.urlopen(request) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            with contextlib.closing(refusal):
                return refusal.code

    def artifacts(self, study: int) -> dict[str, tuple[str, bytes]]:
        """Type and content of every artifact of the study's trial, by name."""
        (trial,) = self.json(f"/api/studies/{study}")["trials"]
        return {
            artifact["filename"]: self.get(
                f"/artifacts/{study}/{trial['trial_id']}/{artifact['artifact_id']}"
            )
            for artifact in trial["artifacts"]
        }


@pytest.fixture
def page(run: RunDirectory, storage: BaseStorage) -> Iterator[Page]:
    """The dashboard of the run, served."""
    with dashboard.open_server(dashboard.build_application(run, storage, NAMES), 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield Page(server.server_port)
        server.shutdown()
        thread.join()


@pytest.fixture
def browser() -> Iterator[webdriver.Chrome]:
    """A Chromium without a window; skips where there is none."""
    chromium, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if not (chromium and driver):
        pytest.skip("no Chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.add_argument("--headless=new")
    for flag in ("--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options, Service(driver)) as found:
        yield found


def _studies(page: Page) -> dict[str, int]:
    found = page.json("/api/studies")["study_summaries"]
    return {study["study_name"]: study["study_id"] for study in found}


def test_the_stages_of_the_run_are_shown_and_no_other(page: Page) -> None:
    assert list(_studies(page)) == ["architecture", "gan", "training"]
    kind, index = page.get("/dashboard")
    assert kind == "text/html"
    assert b"<title>Optuna Dashboard" in index


def test_histories_curves_faces_and_errors_can_be_downloaded(page: Page, run: RunDirectory) -> None:
    studies = _studies(page)
    history = run.trial("architecture", 0) / "history.csv"
    found = page.artifacts(studies["architecture"])
    assert found["history.csv"] == ("text/csv", history.read_bytes())
    assert found["curves.png"][0] == "image/png"
    assert found["curves.png"][1].startswith(PNG)
    assert set(found) == {"history.csv", "curves.png"}
    assert page.artifacts(studies["gan"])["faces.png"] == ("image/png", PNG + b"faces")
    assert b"out of memory" in page.artifacts(studies["training"])["error.txt"][1]


def test_the_note_of_a_trial_says_what_it_tried(page: Page) -> None:
    (trial,) = page.json(f"/api/studies/{_studies(page)['training']}")["trials"]
    assert trial["note"]["body"] == (
        "spatial small_cnn mean (trial 0): adam 0.001, batch 8, 2,048 samples; "
        "made from architecture/0; out of memory"
    )


MISCHIEF = (
    "<script>document.title = 'hit'</script> <img src=x onerror=\"document.title = 'hit'\"> "
    "![pixel](http://127.0.0.1:{port}/pixel.png) [log in](http://127.0.0.1:{port}/steal) "
    "<http://127.0.0.1:{port}/auto> http://127.0.0.1:{port}/bare www.evil.example me@evil.example "
    "<iframe srcdoc=\"<script>parent.document.title = 'hit'</script>\"></iframe> "
    "[x]: javascript:alert(1) \n\n# Heading\n\n| a | b |\n|-|-|\n| c | d |\n```js\nhit\n```"
)


def _fail_with(storage: BaseStorage, reason: str) -> int:
    """Fail a trial for a reason, and write notes and plots of the dashboard to its study."""
    study = optuna.load_study(study_name=NAMES["gan"], storage=storage)
    trial = study.ask()
    trial.set_user_attr("reason", reason)
    study.tell(trial, state=TrialState.FAIL)
    number = storage.get_study_id_from_name(NAMES["gan"])
    notes = {"dashboard:note_str:0": reason, "dashboard:note_ver": 3}
    notes["dashboard:plot_data:mine"] = '{"data": [], "layout": {}}'
    notes["dashboard:objective_names"] = [reason]
    for key, value in notes.items():
        storage.set_study_system_attr(number, key, value)
    return trial.number


def test_reasons_are_text_and_notes_of_the_journal_are_left_out(
    page: Page, storage: BaseStorage
) -> None:
    _fail_with(storage, MISCHIEF)
    study = page.json(f"/api/studies/{_studies(page)['gan']}")
    body = study["trials"][1]["note"]["body"]
    assert not set("<>[]!`*|#\n\\") & set(re.sub("&#[0-9]+;", "", body))
    assert not re.search(r"://|www\.|@\w", body)
    assert "hit" in body
    assert study["note"]["body"] == ""
    assert "hit" not in json.dumps({**study, "trials": []})
    assert not study["plotly_graph_objects"]


def test_no_other_page_may_read_the_files_of_the_run(page: Page) -> None:
    study = _studies(page)["gan"]
    (trial,) = page.json(f"/api/studies/{study}")["trials"]
    address = f"/artifacts/{study}/{trial['trial_id']}/{trial['artifacts'][0]['artifact_id']}"
    headers = page.headers(address)
    assert "Access-Control-Allow-Origin" not in headers
    assert "frame-src 'none'" in headers["Content-Security-Policy"]


@pytest.mark.slow
def test_a_browser_shows_a_note_as_text_and_calls_nothing(
    page: Page, storage: BaseStorage, browser: webdriver.Chrome
) -> None:
    number = _fail_with(storage, MISCHIEF.replace("{port}", str(page.port)))
    study = _studies(page)["gan"]
    wait = WebDriverWait(browser, 60)
    for view in ("", "/analytics"):
        browser.get(f"{page.address}/dashboard/studies/{study}{view}")
        wait.until(lambda found: found.find_elements(By.CSS_SELECTOR, ".js-plotly-plot"))
    browser.get(f"{page.address}/dashboard/studies/{study}/trials?numbers={number}")
    wait.until(lambda found: "log in" in found.find_element(By.TAG_NAME, "body").text)
    shown = browser.find_element(By.TAG_NAME, "body").text
    assert "<script>document.title = 'hit'</script>" in shown
    assert "# Heading | a | b |" in shown
    assert browser.title != "hit"
    links = [link.get_attribute("href") or "" for link in browser.find_elements(By.TAG_NAME, "a")]
    assert not [link for link in links if "evil" in link or "steal" in link or "bare" in link]
    assert not browser.find_elements(By.CSS_SELECTOR, "iframe, img[src*=pixel]")
    log = "".join(entry["message"] for entry in browser.get_log("browser"))
    assert "Content Security Policy" not in log
    asked = [
        json.loads(entry["message"])["message"]["params"]["request"]["url"]
        for entry in browser.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    ]
    assert not [url for url in asked if not url.startswith((page.address, "data:", "blob:"))]
    assert not [url for url in asked if url.endswith(("pixel.png", "steal"))]


def test_the_exported_model_is_drawn_beside_the_trial_it_comes_from(
    finished_run: RunDirectory,
) -> None:
    finished_run.picture.write_bytes(PNG + b"layers")
    files = RunArtifacts(finished_run)
    found = files.list_by_trial("architecture", [0, 1])
    (picture,) = found[0]
    assert picture.name == "best_model.png"
    assert files.open_reader(picture.id).read() == PNG + b"layers"
    assert found[1] == []
    assert files.list_by_trial("training", [0]) == {0: []}
    for damage in ("{}", "[]", '{"origin": {"stage": "architecture"}}', "none"):
        finished_run.certificate.write_text(damage)
        assert files.list_by_trial("architecture", [0]) == {0: []}
    finished_run.picture.unlink()
    with pytest.raises(ArtifactNotFound):
        files.open_reader(picture.id)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/api/studies/{study}", {}),
        ("POST", "/api/studies", {"study_name": "new", "directions": ["minimize"]}),
        ("POST", "/api/studies/{study}/rename", {"study_name": "new"}),
        ("PUT", "/api/studies/{study}/note", {"version": 1, "body": "mine"}),
    ],
)
def test_what_would_change_the_run_is_refused(
    page: Page, tmp_path: Path, method: str, path: str, body: dict[str, Any]
) -> None:
    journal = (tmp_path / "studies.log").read_bytes()
    study = _studies(page)["architecture"]
    status, reason = page.refused(method, path.format(study=study), body)
    assert (status, reason) == (403, "This dashboard shows a run and changes nothing.")
    assert (tmp_path / "studies.log").read_bytes() == journal
    assert len(_studies(page)) == 3


@pytest.mark.parametrize("name", ["localhost", "LocalHost:8080", "127.0.0.1:1", "[::1]:8080"])
def test_it_answers_to_the_names_of_this_machine(page: Page, name: str) -> None:
    assert page.called(name) == 200


@pytest.mark.parametrize(
    "name", ["evil.example:8080", "127.0.0.1.evil.example", "evil.example:80,127.0.0.1", "", "["]
)
def test_a_page_elsewhere_that_has_its_name_lead_here_reads_nothing(page: Page, name: str) -> None:
    assert page.called(name) == 403


def test_the_view_itself_writes_nothing(storage: BaseStorage) -> None:
    view = View(storage, {name: stage for stage, name in NAMES.items()}, lambda *_: {})
    study = optuna.load_study(study_name="architecture", storage=view)
    assert study.best_value == 0.8
    with pytest.raises(ReadOnlyError):
        study.ask()
    with pytest.raises(ReadOnlyError):
        study.set_user_attr("note", "mine")
    with pytest.raises(KeyError):
        optuna.load_study(study_name="run-2/architecture", storage=view)


def test_a_trial_that_begins_meanwhile_is_shown(run: RunDirectory, storage: BaseStorage) -> None:
    view = View(storage, {name: stage for stage, name in NAMES.items()}, lambda *_: {})
    number = view.get_study_id_from_name("architecture")
    optuna.load_study(study_name=NAMES["architecture"], storage=storage).ask()
    assert [trial.number for trial in view.get_all_trials(number)] == [0, 1]


def test_a_run_without_trials_says_so(run: RunDirectory, storage: BaseStorage) -> None:
    for names in ({}, {"architecture": "run-3/architecture"}):
        with pytest.raises(UserError, match="has no trials yet"):
            dashboard.build_application(run, storage, names)


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as other:
        other.bind((dashboard.HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(UserError, match=f"port {port} is taken; choose another with port"),
            dashboard.open_server(lambda *_: [], port),
        ):
            pass


def test_without_the_package_the_line_names_the_extra(
    run: RunDirectory, storage: BaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna_dashboard", None)
    with pytest.raises(UserError, match=r"pip install 'deepfake-model-search\[dashboard\]'"):
        dashboard.build_application(run, storage, NAMES)
