"""Structure of a model file: its parts, its calls and its costs, checked before it is loaded.

Imports `refusal` of `models`, and no other package of this room.
"""
