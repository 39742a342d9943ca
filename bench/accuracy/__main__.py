"""The command ``python -m bench.accuracy``."""

from __future__ import annotations

from bench.accuracy.accuracy import main

if __name__ == "__main__":
    main()
