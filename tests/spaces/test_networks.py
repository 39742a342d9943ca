"""A configuration knows every network by name without TensorFlow."""

from __future__ import annotations

import subprocess
import sys

from spaces import networks
from spaces.backbones import APPLICATIONS
from spaces.small_networks import SMALL_NETWORKS


def test_the_names_are_those_of_the_networks_there_are() -> None:
    assert tuple(APPLICATIONS) == networks.PRETRAINED
    assert tuple(SMALL_NETWORKS) == networks.SMALL_NETWORKS


def test_names_and_configurations_come_without_tensorflow() -> None:
    script = (
        "import sys, spaces.networks, spaces.streams, search.config\n"
        "assert not {'tensorflow', 'keras', 'autokeras'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
