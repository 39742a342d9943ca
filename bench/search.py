"""Our search beside stock AutoKeras and KerasTuner: ``python bench/search.py``.

On SYNTHETIC clips, in the same space, with the same epochs and seeds, one after the other: trials
an hour and the best validation AUC at equal time with a frozen ResNet50 (``frozen``) and where
nothing is frozen (``unfrozen``); most memory on a store of 4 GB (``memory``); what a trial costs
beside a bare ``fit`` (``overhead``); two workers beside one (``scaling``). ``--only`` runs some of
them, ``--quick`` all of them on next to nothing, which shows that they run and nothing else.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

# This file has the name of a package, and its folder comes first where its neighbours look for
# that: the package is imported from elsewhere, and whoever asked for it gets it.
_before = list(sys.path)
sys.path[:] = [one for one in sys.path if Path(one).resolve() != Path(__file__).parent.resolve()]
sys.modules.pop("search", None)
importlib.import_module("search")
sys.path[:] = _before

if __name__ == "__main__":
    from search_report import main

    main()
