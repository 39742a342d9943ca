"""The command ``python -m bench.ablations``."""

from __future__ import annotations

from bench.ablations.ablations import main

if __name__ == "__main__":
    main()
