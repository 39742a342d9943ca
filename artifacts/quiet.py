"""Import of TensorFlow and Keras without their log messages."""

from __future__ import annotations

import logging
import os

from data_prep.stock_keras import stock_keras


def import_tensorflow() -> None:
    """Import TensorFlow and Keras silently; call before anything else imports them.

    The settings of Keras are its stock settings: see :func:`data_prep.stock_keras.stock_keras`.

    On processors without AVX-512 or AMX, TensorFlow disables the kernels of oneDNN, which makes a
    training step of 3-D convolutions twenty times slower. This function enables them unless the
    environment sets the variable.

    Raises:
        UserError: The process has imported Keras with another backend.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with stock_keras():
        import absl.logging
        import keras  # noqa: F401 - imported here, so that it is silent
        import tensorflow as tf

        absl.logging.set_verbosity(absl.logging.ERROR)
        tf.get_logger().setLevel(logging.ERROR)


def silence_keras() -> None:
    """Keep Keras from printing progress, in a process that belongs to this project."""
    import keras

    keras.utils.disable_interactive_logging()
