"""Faces in sampled frames: detection, one track a face, and crops that follow it."""

from __future__ import annotations

from data_prep.faces.centerface import CenterFace
from data_prep.faces.crops import ALIGNMENTS, crop, crop_boxes, crop_track
from data_prep.faces.detection import Detection, FaceDetector
from data_prep.faces.detectors import DETECTORS, make_detector
from data_prep.faces.second_look import look_again
from data_prep.faces.tracks import FaceTrack, find_tracks, track

__all__ = [
    "ALIGNMENTS",
    "DETECTORS",
    "CenterFace",
    "Detection",
    "FaceDetector",
    "FaceTrack",
    "crop",
    "crop_boxes",
    "crop_track",
    "find_tracks",
    "look_again",
    "make_detector",
    "track",
]
