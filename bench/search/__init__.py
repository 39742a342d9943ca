"""Our search against KerasTuner and AutoKeras; imports the rooms and ``bench.shared``."""
