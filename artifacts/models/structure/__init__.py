"""Structure of a model file: its parts, its calls and its costs, checked before it is loaded.

Imports ``artifacts.models.refusal`` alone.
"""
