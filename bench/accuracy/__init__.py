"""Accuracy of detectors on unseen people; imports the rooms and ``bench.shared``."""
