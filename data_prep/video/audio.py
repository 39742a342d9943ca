"""The sound around each sampled frame of a video, as log-mel energies."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Generator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError, VideoError
from data_prep.video.decoding import open_video

MELS = 64
"""Mel bands between LOW_HZ and half of RATE."""

STEPS = 40
"""Energies of one window in time, STEP_MS apart."""

RATE = 16_000
"""Samples a second; the sound is mixed to one channel."""

STEP_MS = 10
FRAME_MS = 25
LOW_HZ = 50

# One window reaches from the start of its first step to the end of its last: 415 ms.
_WINDOW = ((STEPS - 1) * STEP_MS + FRAME_MS) * RATE // 1000
# Sound is decoded in blocks of a second, so that memory does not grow with the video.
_BLOCK = RATE
# Later times than this many seconds are a damaged video's; they are silent.
_LATEST = 1e7
# The decoder gives up after this many seconds of computing: a day of sound needs five minutes.
_DECODER_SECONDS = 600


def audio_shape(frames: int) -> tuple[int, int, int]:
    """Return the shape of the sound of a clip of ``frames`` frames."""
    return frames, MELS, STEPS


def log_mel(path: Path, times: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float16], bool]:
    """Compute log-mel energies of the sound around each frame of a video.

    Around each time lies a window of 415 ms: 40 steps 10 ms apart, each the natural logarithm
    of the energies of 64 mel bands (Kaldi's triangles, 50 Hz to 8 kHz) in 25 ms under a
    periodic Hann window. Samples are between -1 and 1; energies below 1.19e-7 are raised to
    it, so silence is -15.94. Frequency grows with the middle axis and time with the last.

    The first sound track is decoded once from its start to the last window, and only the windows
    are kept. Sound that begins after the picture, or has gaps, keeps its position in time. Silence
    stands for missing sound: before and after the track, at damaged positions, and after a change
    of sample rate or channels. Times count from the first frame, which can be later
    than the sound.

    Args:
        path: the video file.
        times: float64 (T,), seconds from the start of the video, in any order.

    Returns:
        float16 (T, MELS, STEPS), and whether any sound was decoded. Without a sound track that can
        be decoded, it is silence and False. From the energies alone, a network cannot distinguish a
        missing track from a silent one.

    Raises:
        UserError: there is no ffmpeg program, or it cannot be started.
        ValueError: the times are not finite or not one-dimensional.
    """
    times = np.asarray(times, np.float64)
    if times.ndim != 1 or not np.isfinite(times).all():
        raise ValueError(f"times must be finite and of shape (T,), received shape {times.shape}")
    times = times + _picture_start(path)
    starts = np.round(np.clip(times, -_LATEST, _LATEST) * RATE).astype(np.int64) - _WINDOW // 2
    order = np.argsort(starts, kind="stable")
    windows, heard = _windows(path, starts[order])
    energies = np.empty(audio_shape(len(times)), np.float16)
    for place, window in zip(order, windows, strict=True):
        energies[place] = _energies(window)
    return energies, heard


def _picture_start(path: Path) -> float:
    """Return the time of the first frame after the start of the file, in seconds."""
    try:
        with open_video(path, 1) as video:
            return video.header.start
    except VideoError:
        return 0.0


def _windows(path: Path, starts: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int16], bool]:
    """Return samples from each of the ascending ``starts``, int16 (T, _WINDOW), and if any came."""
    windows = np.zeros((len(starts), _WINDOW), np.int16)
    heard = False
    if not len(starts):
        return windows, heard
    with contextlib.closing(_blocks(path, int(starts[-1]) + _WINDOW)) as blocks:
        for at, block in blocks:
            heard = True
            first = np.searchsorted(starts, at - _WINDOW, side="right")
            last = np.searchsorted(starts, at + len(block), side="left")
            for window, start in zip(windows[first:last], starts[first:last], strict=True):
                begin, end = max(start, at), min(start + _WINDOW, at + len(block))
                window[begin - start : end - start] = block[begin - at : end - at]
    return windows, heard


def _blocks(path: Path, until: int) -> Generator[tuple[int, npt.NDArray[np.int16]]]:
    """Yield pieces of the sound track with their positions, up to sample ``until``.

    MoviePy's own reader calls the same program with three faults: late sound begins at once; a
    damaged track with many messages blocks it; missing sound is filled with zeros, so it is not
    detected.
    """
    command = [
        _ffmpeg(),
        *("-nostdin", "-loglevel", "quiet", "-timelimit", str(_DECODER_SECONDS)),
        # A filter set up anew would fill up from zero again and misplace all that follows.
        *("-reinit_filter", "0"),
        # Absolute, so that no name is taken for an option or a protocol.
        *("-protocol_whitelist", "file", "-i", str(path.absolute())),
        *("-map", "0:a:0", "-ac", "1"),
        *("-af", f"aresample={RATE}:async=1:first_pts=0"),
        *("-f", "s16le", "-"),
    ]
    try:
        decoder = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        raise UserError(
            f"the ffmpeg program {command[0]}, which reads the sound, cannot be started: "
            f"{error.strerror}; reinstall imageio-ffmpeg or leave sound out"
        ) from None
    with decoder:
        assert decoder.stdout is not None
        try:
            at = 0
            while at < until:
                content = decoder.stdout.read(2 * _BLOCK)
                block = np.frombuffer(content[: len(content) // 2 * 2], "<i2")
                if not len(block):
                    break
                yield at, block
                at += len(block)
        finally:
            decoder.kill()


def _ffmpeg() -> str:
    """Return the ffmpeg program that MoviePy uses."""
    import imageio_ffmpeg  # type: ignore[import-untyped]

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        raise UserError(
            "no ffmpeg program found to read the sound; reinstall imageio-ffmpeg, name one in "
            "IMAGEIO_FFMPEG_EXE, or leave sound out"
        ) from None


def _energies(window: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    """Compute the log-mel energies of one window: float32 (MELS, STEPS)."""
    import kaldi_native_fbank  # type: ignore[import-untyped]

    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = RATE
    options.frame_opts.frame_shift_ms = STEP_MS
    options.frame_opts.frame_length_ms = FRAME_MS
    options.frame_opts.window_type = "hann"
    options.frame_opts.preemph_coeff = 0.0
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = MELS
    options.mel_opts.low_freq = LOW_HZ
    options.mel_opts.high_freq = RATE / 2
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(RATE, window.astype(np.float32) / 2**15)
    bank.input_finished()
    return np.stack([bank.get_frame(step) for step in range(STEPS)], axis=1)
