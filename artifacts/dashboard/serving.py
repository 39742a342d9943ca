"""optuna-dashboard on the studies of a run, with the files of its trials attached."""

from __future__ import annotations

import contextlib
import errno
import json
import socketserver
import urllib.parse
import wsgiref.simple_server
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from artifacts.dashboard.files import RunArtifacts
from artifacts.dashboard.notes import escape_markdown
from artifacts.dashboard.view import View
from artifacts.leaderboard.descriptions import Architectures
from artifacts.leaderboard.trials import architecture_choices, record_trial
from artifacts.optuna_internals import study_id, trial_id
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE, TRAINING
from data_prep.errors import UserError

HOST = "127.0.0.1"
"""This machine alone: every reader of the page can read the run."""

_NAMES = frozenset({HOST, "localhost", "::1"})

# The plots of the dashboard build their code (plotly) and their styles at run time.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "frame-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'"
)

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    """Answers each request in a thread of its own; they end with the process."""

    daemon_threads = True
    # Where another program listens, binding fails.
    allow_reuse_address = True


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Suppress the message for every file that a page requests."""


def build_application(
    run: RunDirectory, storage: BaseStorage, studies: Mapping[str, str]
) -> Application:
    """Build the dashboard of a run as a WSGI application; it changes nothing.

    Args:
        run: an open run directory.
        storage: storage of its studies.
        studies: names of the studies in the storage, by stage, in the order to show them.

    Raises:
        UserError: optuna-dashboard is not installed, or there is no trial yet.
    """
    try:
        from optuna_dashboard import wsgi
    except ImportError:
        raise UserError(
            "the dashboard needs optuna-dashboard: pip install 'deepfake-model-search[dashboard]'"
        ) from None
    files = RunArtifacts(run)
    stages = {name: stage for stage, name in studies.items()}
    grounds = studies.get(ARCHITECTURE.name)

    def added(stage: str, trials: list[FrozenTrial]) -> dict[str, Any]:
        known = trials
        if stage == TRAINING.name and grounds is not None:
            known = storage.get_all_trials(storage.get_study_id_from_name(grounds), deepcopy=False)
        return _added(files, stage, trials, architecture_choices(known))

    view = View(storage, stages, added)
    if not any(view.get_all_trials(study_id(study), False) for study in view.get_all_studies()):
        raise UserError(f"{run.root} has no trials yet; open its dashboard when one has begun")
    return _only_reading(wsgi(view, artifact_store=files))


@contextlib.contextmanager
def open_server(app: Application, port: int) -> Iterator[Server]:
    """Yield a server of an application on this machine; ``serve_forever`` makes it answer.

    Args:
        app: WSGI application.
        port: Port to listen on; 0 takes a free one, see ``server_port``.

    Raises:
        UserError: the port is not available.
    """
    try:
        server = wsgiref.simple_server.make_server(HOST, port, app, Server, _Quiet)
    except OSError as error:
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
        raise UserError(
            f"port {port} {why}; choose another with --port, or --port 0 for a free one"
        ) from None
    with server:
        yield server


def _only_reading(app: Application) -> Application:
    """Refuse changes, and requests to this machine by another name, in one clear sentence.

    A web page could let its own name lead to this machine, and a browser here would then let it
    read the answers.
    """

    def answered(environment: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not _is_called_by_its_name(environment.get("HTTP_HOST", "")):
            reason = "This dashboard answers to 127.0.0.1 and localhost alone."
        elif environment["REQUEST_METHOD"] not in ("GET", "HEAD"):
            reason = "This dashboard shows a run and changes nothing."
        else:
            return app(environment, lambda *answer: start_response(*_confine(*answer)))
        start_response("403 Forbidden", [("Content-Type", "application/json")])
        return [json.dumps({"reason": reason}).encode()]

    return answered


def _confine(status: str, headers: list[tuple[str, str]], *rest: Any) -> tuple[Any, ...]:
    """Return the start of an answer that neither calls other hosts nor is readable by them.

    optuna-dashboard lets pages of every other host read the artifacts, among them faces.
    """
    kept = [each for each in headers if each[0].lower() != "access-control-allow-origin"]
    return status, [*kept, ("Content-Security-Policy", _POLICY)], *rest


def _is_called_by_its_name(host: str) -> bool:
    try:
        return urllib.parse.urlsplit(f"//{host}").hostname in _NAMES
    except ValueError:
        return False


def _added(
    files: RunArtifacts, stage: str, trials: list[FrozenTrial], architectures: Architectures
) -> dict[str, Any]:
    """Return artifacts and notes of trials, under the keys that the dashboard reads."""
    found: dict[str, Any] = {}
    artifacts = files.list_by_trial(stage, [trial.number for trial in trials])
    for trial in trials:
        number = trial_id(trial)
        for artifact in artifacts[trial.number]:
            found[f"dashboard:artifacts:{number}:{artifact.id}"] = artifact.to_json()
        record = record_trial(stage, trial, architectures)
        words = record.description
        origin = f"made from {words.lineage}" if words.lineage else ""
        if note := "; ".join(filter(None, [words.what, origin, record.reason])):
            found[f"dashboard:{number}:note_ver"] = 1
            found[f"dashboard:{number}:note_str:0"] = escape_markdown(note)
    return found
