"""Faces in sampled frames: detectors, tracks through a video, and crops that follow them.

:func:`~data_prep.faces.detectors.make_detector` gives a detector,
:func:`~data_prep.faces.tracks.find_tracks` follows its detections, and
:func:`~data_prep.faces.crops.crop_track` cuts it out.

Imports the modules at the root and `video`.
"""

from __future__ import annotations
