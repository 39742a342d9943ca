"""The parts of a video that a fake changes: picture, sound or both."""

from __future__ import annotations

# An attribute of clips, and its values by (picture changed, sound changed).
MODIFIED = "modified"
PARTS = {
    (False, False): "none",
    (True, False): "video",
    (False, True): "audio",
    (True, True): "both",
}


def category_name(video: bool, audio: bool) -> str:
    """Return the name of a category, such as FakeVideo-RealAudio."""
    return f"{'Fake' if video else 'Real'}Video-{'Fake' if audio else 'Real'}Audio"
