"""The command ``python -m bench.suite``."""

from __future__ import annotations

from bench.suite.all import main

if __name__ == "__main__":
    main()
