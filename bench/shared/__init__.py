"""Timers, table cells and test material of several benches; imports the rooms, no other bench."""
