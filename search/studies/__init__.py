"""Optuna studies: storage, samplers, pruners and hyperparameters.

Imports `config` and `samples`.
"""

from __future__ import annotations
