"""The command ``python -m bench.suite``."""

from __future__ import annotations

from bench.suite.suite import main

if __name__ == "__main__":
    main()
