from __future__ import annotations

import subprocess
import sys


def test_tensorflow_comes_in_without_a_word_and_errors_still_get_through() -> None:
    code = (
        "import os, sys\n"
        "from artifacts.quiet import import_tensorflow\n"
        "from data_prep.quiet import silent_stderr\n"
        "import_tensorflow()\n"
        "with silent_stderr():\n"
        "    os.write(2, b'chatter')\n"
        "print('an error', file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stderr == "an error\n"
    assert done.stdout == ""
