"""The ladder of every room: a package imports only packages on lower rungs, and none in a
circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("dfsearch", "search", "artifacts", "data_prep", "spaces", "bench")
MOST_MODULES = 16

# The lowest rung first. A name is a package or a module at the root of its room; names that share
# a rung do not import each other.
LADDERS = {
    "dfsearch": (
        ("arguments",),
        ("catalogue", "leaderboards", "stores"),
        ("detectors",),
        ("runs",),
        ("searches",),
    ),
    "data_prep": (
        ("errors", "quiet"),
        ("files",),
        ("text",),
        ("arrays", "bootstrap", "plugins", "stock_keras", "workers"),
        ("video",),
        ("store",),
        ("faces", "layouts"),
        ("splits",),
        ("datasets",),
        ("sources",),
        ("catalogue", "preparation"),
        ("audit", "synthetic"),
    ),
    "spaces": (
        ("autokeras_internals", "keras_internals"),
        ("inputs", "layers"),
        ("backbones", "training"),
        ("streams",),
        ("fusion", "gan"),
        ("detector",),
    ),
    "artifacts": (
        ("optuna_internals", "quiet", "stages"),
        ("records", "run_directory"),
        ("ensemble_record", "histories"),
        ("metrics",),
        ("certificate",),
        ("models",),
        ("evaluation",),
        ("explain", "leaderboard"),
        ("dashboard", "prediction"),
        ("report",),
    ),
    "search": (
        ("config", "samples"),
        ("features", "studies"),
        ("training", "trials"),
        ("gan",),
        ("detectors",),
        ("stages",),
        ("workers",),
        ("claim", "preflight"),
        ("run",),
        ("cli",),
    ),
    "bench": (
        ("shared",),
        # Benches do not import each other, except the last two.
        ("accuracy", "search", "suite", *(path.stem for path in (ROOT / "bench").glob("[!_]*.py"))),
        ("ablations", "leak"),
    ),
}
# Packages in a package, by folder: the modules at its root, then its packages.
INNER_LADDERS = {
    "data_prep/layouts": (
        ("layout",),
        ("files",),
        ("kinds", "originals", "plugin_layouts", "tables"),
        ("frames",),
        ("audio_visual", "frame_sets", "plain", "swaps"),
    ),
}
# The rooms that each room may import. `data_prep.errors` is for all: it imports nothing.
BELOW = {
    "bench": {"dfsearch", "search", "artifacts", "data_prep", "spaces"},
    "dfsearch": {"search", "artifacts", "data_prep", "spaces"},
    "search": {"artifacts", "data_prep", "spaces"},
    "artifacts": {"data_prep", "spaces"},
    "data_prep": set(),
    "spaces": set(),
}
FOR_ALL = "data_prep.errors."
# Not installed, so no room may import them.
AROUND = {"notebooks", "scripts", "tests"}
# The command line calls the public interface, which imports all of the search below the command
# line: the top of the room `search` is above `dfsearch`, the rest of it below.
COMMAND_LINE = ("search", "cli")
IMPORTERS = {"import_module", "__import__"}


def _names(node: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    """Yield what a node imports: module or module.name, also relative or by a constant."""
    if isinstance(node, ast.ImportFrom):
        base = package[: len(package) - node.level + 1] if node.level else ()
        module = ".".join((*base, *filter(None, [node.module])))
        yield from (f"{module}.{each.name}" for each in node.names)
    elif isinstance(node, ast.Import):
        yield from (each.name for each in node.names)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if called in IMPORTERS and isinstance(node.args[0].value, str):
            yield node.args[0].value


def _imports(file: Path, source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, module or module.name) of every import in a file.

    The `__init__` of a room imports its names when they are used, so there only imports count
    that run with the module.
    """
    tree = ast.parse(source)
    is_room = len(file.parts) == 2 and file.name == "__init__.py"
    for node in tree.body if is_room else ast.walk(tree):
        for name in _names(node, file.parent.parts):
            yield getattr(node, "lineno", 0), name


def _offences(file: Path, source: str) -> Iterator[str]:
    room, here = file.parts[0], file.parts[1].removesuffix(".py")
    rungs = {name: at for at, names in enumerate(LADDERS[room]) for name in names}
    for line, module in _imports(file, source):
        other, _, rest = module.partition(".")
        there = rest.partition(".")[0]
        is_command = file.parts[:2] == COMMAND_LINE and other == "dfsearch"
        is_for_all = f"{module}.".startswith(FOR_ALL)
        if room == "dfsearch" and (other, there) == COMMAND_LINE:
            yield f"{file}:{line} imports {module}: only commands may import the command line"
        if (
            (other in BELOW or other in AROUND)
            and other not in {room, *BELOW[room]}
            and not (is_command or is_for_all)
        ):
            yield f"{file}:{line} imports {module}: {room} may not import {other}"
        in_room = other == room and there in rungs and here != there
        if in_room and rungs[there] >= rungs.get(here, -1):
            yield f"{file}:{line} imports {module}, which is not below {here}"


def _sources(folder: str) -> Iterator[tuple[Path, str]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


def test_imports_go_down_the_ladder() -> None:
    found = [offence for room in BELOW for each in _sources(room) for offence in _offences(*each)]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("data_prep/video/video.py", "from ..preparation import prepare"),
        ("data_prep/video/video.py", "def f():\n    from .. import store"),
        ("search/run.py", "import bench.demo"),
        ("search/run.py", "from scripts import parts"),
        ("spaces/inputs.py", "import tests"),
        ("spaces/inputs.py", "from data_prep.text import one_line"),
        ("artifacts/quiet.py", "import importlib\nimportlib.import_module('search.run')"),
        ("artifacts/quiet.py", "__import__('search')"),
        ("artifacts/__init__.py", "from artifacts.report import report"),
        ("bench/shared/cells.py", "from bench.leak import leak"),
        ("dfsearch/stores.py", "from search.cli import app"),
    ],
)
def test_an_import_up_the_ladder_is_found(file: str, source: str) -> None:
    assert list(_offences(Path(file), source))


def _inner_offences(package: str) -> Iterator[str]:
    rungs = {name: at for at, names in enumerate(INNER_LADDERS[package]) for name in names}
    dotted = package.replace("/", ".") + "."
    for file, source in _sources(package):
        here = file.relative_to(package).parts[0].removesuffix(".py")
        for line, module in _imports(file, source):
            there = module.removeprefix(dotted).partition(".")[0]
            inside = (
                module.startswith(dotted) and there in rungs and here not in (there, "__init__")
            )
            if inside and rungs[there] >= rungs.get(here, -1):
                yield f"{file}:{line} imports {module}, which is not below {here}"


def test_imports_go_down_the_ladder_inside_packages() -> None:
    found = [offence for package in INNER_LADDERS for offence in _inner_offences(package)]
    assert not found, "\n" + "\n".join(found)


def test_every_package_and_module_has_a_rung() -> None:
    for room, ladder in {**LADDERS, **INNER_LADDERS}.items():
        paths = [*(ROOT / room).glob("*.py"), *(ROOT / room).glob("*/__init__.py")]
        names = {path.parent.name if path.name == "__init__.py" else path.stem for path in paths}
        assert names - {Path(room).name} == {name for rung in ladder for name in rung}


def test_no_folder_holds_too_many_modules_and_every_package_says_what_it_is_for() -> None:
    for room in ROOMS:
        for folder in {path.parent for path in (ROOT / room).rglob("*.py")}:
            modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
            assert len(modules) <= MOST_MODULES, f"{folder} holds {len(modules)} modules"
            assert (folder / "__init__.py").is_file(), f"{folder} has no __init__.py"
            doc = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
            assert doc and "mport" in doc, f"{folder}: what it is for and what it may import"
