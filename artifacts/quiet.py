"""TensorFlow, Keras and Graphviz without their chatter, so that what a user reads is for users."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator


def import_tensorflow() -> None:
    """Import TensorFlow and Keras silently; call before anything else imports them.

    The C++ side writes to standard error before any log level applies, and no environment
    variable stops it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with silent_stderr():
        import absl.logging
        import keras
        import tensorflow as tf

        absl.logging.set_verbosity(absl.logging.ERROR)
        tf.get_logger().setLevel(logging.ERROR)
        keras.utils.disable_interactive_logging()


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Send what C libraries write to standard error nowhere; exceptions still come through."""
    sys.stderr.flush()
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
