"""The command ``dfsearch``: gathers the verbs and runs the one asked for."""

from __future__ import annotations

from search.cli import (  # noqa: F401 - registers the verbs
    dashboard,
    data,
    datasets,
    evaluate,
    export,
    leaderboard,
    predict,
    report,
    run,
    store,
)
from search.cli.app import app
from search.cli.process import own_process


def main() -> None:
    """Run the command line."""
    with own_process():
        app()


if __name__ == "__main__":
    main()
