"""Every error of this project has one base."""

from __future__ import annotations

import ast
from pathlib import Path

from data_prep.errors import DfsearchError, UserError, VideoError

ROOT = Path(__file__).parents[2]
ROOMS = ("data_prep", "artifacts", "search", "dfsearch")
# This program imports nothing of the project, since it opens what a stranger made.
ALONE = {"artifacts/models/weights_copy.py"}


def test_no_error_of_the_project_lacks_the_common_base() -> None:
    known, found = {DfsearchError.__name__}, {}
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            if str(path.relative_to(ROOT)) in ALONE:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                    found[node.name] = [ast.unparse(base) for base in node.bases]
    for _ in found:
        known |= {name for name, bases in found.items() if known & set(bases)}
    assert set(found) <= known, set(found) - known
    assert {"UserError", "VideoError", "WorkerDiedError", "RefusalError"} <= set(found)


def test_one_except_clause_takes_both_errors_of_users() -> None:
    for error in (UserError("no such file"), VideoError("decode", "no frames")):
        try:
            raise error
        except DfsearchError as taken:
            assert taken is error
