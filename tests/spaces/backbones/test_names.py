"""A configuration knows every network by name without TensorFlow."""

from __future__ import annotations

import subprocess
import sys

from spaces.backbones import names as networks
from spaces.backbones.pretrained import APPLICATIONS
from spaces.backbones.small_networks import SMALL_NETWORKS


def test_the_names_are_those_of_the_networks_there_are() -> None:
    assert tuple(APPLICATIONS) == networks.PRETRAINED
    assert tuple(SMALL_NETWORKS) == networks.SMALL_NETWORKS


def test_names_and_configurations_come_without_tensorflow() -> None:
    script = (
        "import sys, spaces.backbones.names, spaces.streams.names, search.config.run_config\n"
        "assert not {'tensorflow', 'keras', 'autokeras'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
