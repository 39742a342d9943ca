"""Every bench of ``make bench`` and its page; imports the rooms and ``bench.shared``."""
