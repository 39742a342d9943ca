"""Effect of each part of a detector; imports the rooms, ``bench.shared`` and ``bench.accuracy``."""
