"""The sources of one store: their list, and one index of all their videos.

Imports `datasets` and the packages below it.
"""
