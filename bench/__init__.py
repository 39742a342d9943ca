"""Measurements, one module or package each, run as ``python -m bench.NAME``; imports every room."""
