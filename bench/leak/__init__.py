"""Effect of a leaking split on scores; imports the rooms, ``bench.shared``, ``bench.accuracy``."""
