"""Speed and memory beside KerasTuner and AutoKeras; imports the rooms and ``bench.shared``."""
