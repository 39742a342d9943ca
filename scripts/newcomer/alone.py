"""Program that makes an environment with one installed package: alone.py NAME FOLDER.

Nothing is downloaded; the packages of the current environment are linked. Other packages cannot be
imported from the new environment.
"""

from __future__ import annotations

import re
import sys
import venv
from importlib import metadata
from pathlib import Path


def needed(name: str) -> dict[str, metadata.Distribution]:
    """Return the distributions of a package and its dependencies, by name."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [name]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # Required only on other systems or other versions of Python.
        wanted = (text for text in found[name].requires or () if "extra ==" not in text)
        waiting += [re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in wanted]
    return found


def main() -> None:
    """Create the environment and print its packages."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    found = needed(name)
    for distribution in found.values():
        for file in distribution.files or ():
            top = file.parts[0]
            link = packages / top
            if top not in ("..", "__pycache__") and not link.exists():
                link.symlink_to(Path(str(distribution.locate_file(top))).resolve())
    print(f"{folder}: {', '.join(sorted(found))}")


if __name__ == "__main__":
    main()
