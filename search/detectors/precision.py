"""Precision of training: float32, or the short floats that this machine computes fast."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator
from pathlib import Path
from typing import Literal, TypeAlias

import keras
import tensorflow as tf

from data_prep.errors import UserError

Precision: TypeAlias = Literal["float32", "mixed"]

_CPU_FACTS = Path("/proc/cpuinfo")
_CPU_BFLOAT16 = re.compile(r"\b(avx512_bf16|amx_bf16|bf16)\b")


def mixed_policy() -> str:
    """Return the Keras dtype policy of ``mixed``: float16 on a GPU, bfloat16 on a CPU that has it.

    Keras scales the loss by itself if float16 needs it.

    Raises:
        UserError: This machine has neither.
    """
    if tf.config.list_physical_devices("GPU"):
        return "mixed_float16"
    try:
        facts = _CPU_FACTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        facts = ""
    if _CPU_BFLOAT16.search(facts):
        return "mixed_bfloat16"
    raise UserError(
        'precision = "mixed" needs a GPU, or a CPU with bfloat16 instructions, and this machine '
        'has neither; set precision = "float32"'
    )


@contextlib.contextmanager
def policy(precision: Precision) -> Generator[None]:
    """Build layers inside the block with this precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if precision == "float32" else mixed_policy())
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
