"""The command ``python -m bench.leak``."""

from __future__ import annotations

from bench.leak.leak import main

if __name__ == "__main__":
    main()
