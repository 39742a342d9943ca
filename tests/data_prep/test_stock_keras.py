from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOREIGN = {
    "floatx": "float64",
    "epsilon": 0.1,
    "backend": "torch",
    "image_data_format": "channels_first",
}
SHOW = """
import json, os
before = dict(os.environ)
from artifacts.quiet import import_tensorflow
import_tensorflow()
import keras
from keras.src.backend.config import keras_home
layer = keras.layers.Conv2D(2, 1)
layer.build((None, 4, 4, 3))
print(json.dumps({
    "backend": keras.config.backend(),
    "floatx": keras.config.floatx(),
    "epsilon": keras.config.epsilon(),
    "kernel": list(layer.kernel.shape),
    "epochs": keras.config.max_epochs(),
    "home": keras_home(),
    "changed": sorted(n for n in before if "KERAS" in n and os.environ.get(n) != before[n]),
}))
"""


def in_process(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    "content", [json.dumps(FOREIGN), pytest.param(None, marks=pytest.mark.slow)]
)
def test_keras_has_its_stock_settings_whatever_the_environment_says(
    tmp_path: Path, content: str | None
) -> None:
    # A folder cannot be read as a file, not even by root.
    settings = tmp_path / ".keras" / "keras.json"
    settings.parent.mkdir()
    settings.mkdir() if content is None else settings.write_text(content)

    done = in_process(
        SHOW,
        HOME=str(tmp_path),
        KERAS_BACKEND="jax",
        KERAS_MAX_EPOCHS="one",
        KERAS_NNX_ENABLED="1",
        TF_USE_LEGACY_KERAS="1",
        CUDA_VISIBLE_DEVICES="none, at all",
        PYTHONWARNINGS="error",
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert json.loads(done.stdout) == {
        "backend": "tensorflow",
        "floatx": "float32",
        "epsilon": 1e-7,
        "kernel": [1, 1, 3, 2],
        "epochs": None,
        "home": str(tmp_path / ".keras"),
        "changed": [],
    }


def test_a_process_with_keras_on_another_backend_gets_one_clear_error() -> None:
    code = (
        "import keras\n"
        "from artifacts.quiet import import_tensorflow\n"
        "from dfsearch import DfsearchError\n"
        "try:\n"
        "    import_tensorflow()\n"
        "except DfsearchError as error:\n"
        "    print(error)\n"
    )

    pytest.importorskip("openvino")
    done = in_process(code, KERAS_BACKEND="openvino")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("this process has imported Keras with the openvino backend")
    assert done.stdout.count("\n") == 1
