"""Our search beside stock AutoKeras and KerasTuner: ``python -m bench.search``.

On SYNTHETIC clips, in the same space, with the same epochs and seeds, one after the other: trials
an hour and the best validation AUC at equal time with a frozen ResNet50 (``frozen``) and where
nothing is frozen (``unfrozen``); most memory on a store of 4 GB (``memory``); what a trial costs
beside a bare ``fit`` (``overhead``); two workers beside one (``scaling``). ``--only`` runs some of
them, ``--quick`` all of them on next to nothing, which shows that they run and nothing else.
"""

from __future__ import annotations

from bench.search.report import main

if __name__ == "__main__":
    main()
