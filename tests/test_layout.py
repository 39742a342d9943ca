"""The ladder of every room: a package imports only packages on lower rungs, and none in a
circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("dfsearch", "search", "artifacts", "data_prep", "spaces", "bench")
MOST_MODULES = 16

# The lowest rung first. A name is a package or a module at the root of its room; names that share
# a rung do not import each other.
LADDERS = {
    "dfsearch": (
        ("stores",),
        ("detectors",),
        ("runs",),
    ),
    "data_prep": (
        ("errors", "quiet"),
        ("files",),
        ("text",),
        ("bootstrap", "plugins", "workers"),
        ("video",),
        ("store",),
        ("faces", "layouts"),
        ("splits",),
        ("datasets",),
        ("preparation",),
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
        ("preflight",),
        ("run",),
        ("cli",),
    ),
}
# Packages in a package, by folder: the modules at its root, then its packages.
INNER_LADDERS = {
    "data_prep/layouts": (
        ("layout",),
        ("files",),
        ("kinds", "originals", "plugin_layouts", "tables"),
        ("frames",),
        ("frame_sets", "plain", "swaps"),
    ),
}
# The rooms that each room may import.
BELOW = {
    "dfsearch": {"search", "artifacts", "data_prep", "spaces"},
    "search": {"artifacts", "data_prep", "spaces"},
    "artifacts": {"data_prep", "spaces"},
    "data_prep": set(),
    "spaces": set(),
}
# The command line calls the public interface, which imports all of the search below the command
# line: the top of the room `search` is above `dfsearch`, the rest of it below.
COMMAND_LINE = ("search", "cli")


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, module or module.name) of every import in a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{each.name}") for each in node.names)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, each.name) for each in node.names)


def _offences(room: str) -> Iterator[str]:
    rungs = {name: at for at, names in enumerate(LADDERS.get(room, ())) for name in names}
    for path in sorted((ROOT / room).rglob("*.py")):
        file = path.relative_to(ROOT)
        here = file.parts[1].removesuffix(".py")
        for line, module in _imports(path):
            other, _, rest = module.partition(".")
            there = rest.partition(".")[0]
            is_command = file.parts[:2] == COMMAND_LINE and other == "dfsearch"
            if room == "dfsearch" and (other, there) == COMMAND_LINE:
                yield f"{file}:{line} imports {module}: only commands may import the command line"
            if other in BELOW and other != room and other not in BELOW[room] and not is_command:
                yield f"{file}:{line} imports {module}: {room} may not import {other}"
            in_room = other == room and there in rungs and here not in (there, "__init__")
            if in_room and rungs[there] >= rungs.get(here, -1):
                yield f"{file}:{line} imports {module}, which is not below {here}"


def test_imports_go_down_the_ladder() -> None:
    found = [offence for room in BELOW for offence in _offences(room)]
    assert not found, "\n" + "\n".join(found)


def _inner_offences(package: str) -> Iterator[str]:
    rungs = {name: at for at, names in enumerate(INNER_LADDERS[package]) for name in names}
    dotted = package.replace("/", ".") + "."
    for path in sorted((ROOT / package).rglob("*.py")):
        here = path.relative_to(ROOT / package).parts[0].removesuffix(".py")
        for line, module in _imports(path):
            there = module.removeprefix(dotted).partition(".")[0]
            inside = (
                module.startswith(dotted) and there in rungs and here not in (there, "__init__")
            )
            if inside and rungs[there] >= rungs.get(here, -1):
                yield f"{path.relative_to(ROOT)}:{line} imports {module}, which is not below {here}"


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
            doc = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
            assert doc and "mport" in doc, f"{folder}: what it is for and what it may import"
