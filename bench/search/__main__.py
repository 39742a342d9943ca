"""Our search compared with stock AutoKeras and KerasTuner: ``python -m bench.search``.

All engines search the same space on SYNTHETIC clips with equal epochs and seeds, one after the
other. The parts are:

- ``frozen``, ``unfrozen``: trials an hour and best validation AUC at equal time, with a frozen
  ResNet50 and with a small network that trains whole;
- ``memory``: peak memory on a store of 4 GB;
- ``overhead``: time of a trial over plain ``fit``;
- ``scaling``: two workers against one.

``--only`` selects parts; ``--quick`` runs tiny sizes, to check that they run.
"""

from __future__ import annotations

from bench.search.report import main

if __name__ == "__main__":
    main()
