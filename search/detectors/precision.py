"""The arithmetic of training: float32, or the short floats this machine computes fast with."""

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
    """The Keras dtype policy of ``mixed`` here: float16 on a GPU, bfloat16 on a CPU that has it.

    Keras scales the loss by itself where float16 needs it.

    Raises:
        UserError: there is neither.
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
    """Layers made inside compute in this precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if precision == "float32" else mixed_policy())
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
