"""The sound around each frame is found where it is, and a video without it is marked."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
import pytest
import scipy.io.wavfile
import scipy.signal
from moviepy.audio.io.readers import FFMPEG_AudioReader

from data_prep.errors import UserError
from data_prep.video.audio import LOW_HZ, MELS, RATE, STEP_MS, STEPS, audio_shape, log_mel
from data_prep.video.video import read_frames

FLOOR = float(np.float16(np.log(np.finfo(np.float32).eps)))
PICTURE = ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=25:duration=4")
TONE = ("-f", "lavfi", "-i", "sine=frequency=1000:duration=4:sample_rate=44100")


def _ffmpeg(*arguments: str) -> None:
    program = imageio_ffmpeg.get_ffmpeg_exe()
    command = [program, "-nostdin", "-loglevel", "error", "-y", *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def tone_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of picture with a tone of 1 kHz."""
    path = tmp_path_factory.mktemp("sound") / "tone.mp4"
    _ffmpeg(*PICTURE, *TONE, "-c:v", "mpeg4", "-c:a", "aac", str(path))
    return path


def _band(hertz: float) -> int:
    """The mel band whose centre is nearest to a frequency."""
    low, high, wanted = _mel(np.array([LOW_HZ, RATE / 2, hertz]))
    return round((wanted - low) / ((high - low) / (MELS + 1))) - 1


def _mel(hertz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 1127.0 * np.log1p(hertz / 700.0)


def _expected(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Log-mel energies (MELS, steps) of samples between -1 and 1, by the textbook."""
    length, step, points = RATE * 25 // 1000, RATE * STEP_MS // 1000, 512
    frames = np.lib.stride_tricks.sliding_window_view(samples, length)[::step]
    frames = scipy.signal.detrend(frames, type="constant")
    shaped = frames * scipy.signal.windows.hann(length, sym=False)
    power = np.abs(np.fft.rfft(shaped, points)) ** 2
    edges = np.linspace(*_mel(np.array([LOW_HZ, RATE / 2])), MELS + 2)
    bins = _mel(np.fft.rfftfreq(points, 1 / RATE))
    bank = [np.interp(bins, edges[at : at + 3], [0, 1, 0]) for at in range(MELS)]
    return np.log(np.maximum(np.array(bank) @ power.T, np.finfo(np.float32).eps))


def test_the_energies_are_those_of_the_formula(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 2000, 2 * RATE)
    samples = np.round(noise + 8000 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE))
    path = tmp_path / "noise.wav"
    scipy.io.wavfile.write(path, RATE, samples.astype(np.int16))
    times = np.array([0.5, 1.0, 1.5])
    found, heard = log_mel(path, times)
    assert heard
    for energies, time in zip(found, times, strict=True):
        start = int(time * RATE) - 6640 // 2
        expected = _expected(samples[start : start + 6640] / 2**15)
        np.testing.assert_allclose(energies, expected, atol=0.01)


@pytest.mark.parametrize("hertz", [100, 440, 1000, 3000, 7000])
def test_a_tone_is_loudest_in_its_band(hertz: int, tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    wave = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)
    scipy.io.wavfile.write(path, RATE, (16000 * wave).astype(np.int16))
    found, _ = log_mel(path, np.array([0.5]))
    assert set(found[0].argmax(axis=0)) == {_band(hertz)}


def test_a_video_with_a_tone_has_it_in_every_window(tone_video: Path) -> None:
    times = np.linspace(0.5, 3.5, 7)
    found, heard = log_mel(tone_video, times)
    assert heard
    assert found.dtype == np.float16
    assert found.shape == audio_shape(7) == (7, MELS, STEPS)
    assert (found.argmax(axis=1) == _band(1000)).all()


def test_the_samples_are_those_moviepy_reads(tone_video: Path, tmp_path: Path) -> None:
    reader = FFMPEG_AudioReader(str(tone_video), 2 * RATE, fps=RATE, nbytes=2, nchannels=1)
    samples = reader.buffer[:, 0] * 2**15
    reader.close()
    path = tmp_path / "read.wav"
    scipy.io.wavfile.write(path, RATE, np.round(samples).astype(np.int16))
    times = np.array([0.5, 1.5])
    np.testing.assert_allclose(log_mel(tone_video, times)[0], log_mel(path, times)[0], atol=0.05)


def test_a_tone_that_starts_in_the_middle_is_in_the_later_windows_only(tmp_path: Path) -> None:
    path = tmp_path / "late.mp4"
    late = "aevalsrc='if(gt(t,2),sin(2*PI*1000*t)/4,0)':duration=4:sample_rate=44100"
    _ffmpeg(*PICTURE, "-f", "lavfi", "-i", late, "-c:v", "mpeg4", "-c:a", "aac", str(path))
    found, heard = log_mel(path, np.array([0.5, 1.5, 2.0, 2.5, 3.5]))
    assert heard
    loud = found[:, _band(1000)].astype(np.float64)
    assert loud[:2].max() < loud[3:].min() - 10
    # Its start is in the middle of the window around it, to within a step or two.
    middle = np.flatnonzero(loud[2] > 0)
    assert 17 <= middle[0] <= 21
    assert middle[-1] == STEPS - 1


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "aac"), ("mkv", "libvorbis")])
def test_a_track_that_begins_late_keeps_its_place(suffix: str, codec: str, tmp_path: Path) -> None:
    path = tmp_path / f"delayed.{suffix}"
    delayed = (*PICTURE, "-itsoffset", "2", *TONE, "-map", "0:v", "-map", "1:a")
    _ffmpeg(*delayed, "-c:v", "mpeg4", "-c:a", codec, str(path))
    found, heard = log_mel(path, np.array([1.5, 2.5]))
    assert heard
    assert (found[0] == FLOOR).all()
    assert set(found[1].argmax(axis=0)) == {_band(1000)}


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "aac"), ("mkv", "libvorbis")])
def test_times_count_from_a_picture_that_begins_late(
    suffix: str, codec: str, tmp_path: Path
) -> None:
    """The tone lasts from 2 to 4 s of the file, the picture from 1.5 s on."""
    path = tmp_path / f"late.{suffix}"
    tone = "aevalsrc='if(gt(t,2),sin(2*PI*1000*t)/4,0)':duration=4:sample_rate=44100"
    late = ("-f", "lavfi", "-i", tone, "-itsoffset", "1.5", *PICTURE, "-map", "1:v", "-map", "0:a")
    _ffmpeg(*late, "-c:v", "mpeg4", "-c:a", codec, str(path))
    found, heard = log_mel(path, np.array([0.2, 0.8]))
    assert heard
    assert (found[0] == FLOOR).mean() > 0.9
    assert set(found[1].argmax(axis=0)) == {_band(1000)}


def test_times_may_come_in_any_order_and_repeat(tone_video: Path) -> None:
    times = np.array([3.0, 1.0, 3.0, 0.1])
    found, _ = log_mel(tone_video, times)
    for energies, time in zip(found, times, strict=True):
        np.testing.assert_array_equal(energies, log_mel(tone_video, np.array([time]))[0][0])


def test_before_and_after_the_track_there_is_silence(tone_video: Path) -> None:
    found, heard = log_mel(tone_video, np.array([-1e300, -5.0, 0.0, 30.0]))
    assert heard
    assert (found[[0, 1, 3]] == FLOOR).all()
    # The first half of the window around the start lies before it.
    assert (found[2, :, :18] == FLOOR).all()
    assert set(found[2, :, 24:].argmax(axis=0)) == {_band(1000)}


def test_a_silent_track_is_silence_that_was_heard(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    silence = ("-f", "lavfi", "-i", "anullsrc=sample_rate=44100", "-shortest")
    _ffmpeg(*PICTURE, *silence, "-c:v", "mpeg4", "-c:a", "aac", str(path))
    found, heard = log_mel(path, np.array([1.0, 2.0]))
    assert heard
    assert (found == FLOOR).all()


def test_a_video_without_a_track_is_silent_and_marked(
    tmp_path: Path, face_video: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mute.mp4"
    path.write_bytes(face_video)
    found, heard = log_mel(path, np.array([0.1, 0.5]))
    assert not heard
    assert found.shape == audio_shape(2)
    assert (found == FLOOR).all()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("content", [b"", b"hello " * 1000, b"#EXTM3U\n/etc/passwd\n"])
def test_what_is_no_video_has_no_sound(
    content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "text.mp4"
    path.write_bytes(content)
    found, heard = log_mel(path, np.array([0.1]))
    assert not heard
    assert (found == FLOOR).all()
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_gone_has_no_sound(tmp_path: Path) -> None:
    assert not log_mel(tmp_path / "none.mp4", np.array([0.1]))[1]


def test_a_track_cut_short_ends_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "cut.mkv"
    _ffmpeg(*PICTURE, *TONE, "-c:v", "mpeg4", "-c:a", "libvorbis", str(path))
    os.truncate(path, path.stat().st_size // 2)
    found, heard = log_mel(path, np.array([0.5, 3.5]))
    assert heard
    assert set(found[0].argmax(axis=0)) == {_band(1000)}
    assert (found[1] == FLOOR).all()


def test_a_truncated_mp4_has_no_sound(tone_video: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(tone_video.read_bytes()[: tone_video.stat().st_size // 2])
    assert not log_mel(path, np.array([0.5]))[1]


def test_a_track_that_changes_its_format_is_never_misplaced(tmp_path: Path) -> None:
    parts = []
    for frequency, rate in ((500, 44100), (3000, 22050)):
        part = tmp_path / f"{frequency}.mp2"
        tone = f"sine=frequency={frequency}:sample_rate={rate}:duration=2"
        _ffmpeg("-f", "lavfi", "-i", tone, "-c:a", "mp2", str(part))
        parts.append(part.read_bytes())
    path = tmp_path / "both.mp2"
    path.write_bytes(b"".join(parts))
    found, heard = log_mel(path, np.array([1.0, 3.0, 5.0]))
    assert heard
    assert set(found[0].argmax(axis=0)) == {_band(500)}
    assert (found[1:] == FLOOR).all()


@pytest.mark.parametrize("seed", range(3))
def test_damaged_bytes_break_nothing(
    seed: int, tone_video: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(tone_video.read_bytes())
    chance = random.Random(seed)
    for _ in range(3000):
        content[chance.randrange(len(content) - 5000)] = chance.randrange(256)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(content)
    found, _ = log_mel(path, np.array([0.5, 1.5, 3.0]))
    assert np.isfinite(found).all()
    assert capfd.readouterr() == ("", "")


def test_more_complaints_than_a_pipe_holds_do_not_stop_it(tmp_path: Path) -> None:
    whole = tmp_path / "whole.mp4"
    _ffmpeg("-f", "lavfi", "-i", "sine=frequency=500:duration=120", "-c:a", "aac", str(whole))
    content = bytearray(whole.read_bytes())
    chance = random.Random(0)
    for _ in range(len(content) // 100):
        content[chance.randrange(100, len(content) - 40_000)] = chance.randrange(256)
    path = tmp_path / "noisy.mp4"
    path.write_bytes(content)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-i", str(path), "-f", "null", "-"]
    complaints = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL).stderr
    assert len(complaints) > 2**16
    assert log_mel(path, np.array([1.0, 60.0, 119.0]))[1]


@pytest.mark.parametrize(
    "name",
    [
        "with space.mp4",
        'it\'s "quoted".mp4',
        "two\nlines.mp4",
        "Zoë 面.mp4",
        "-y.mp4",
        "100%03d.mp4",
        "http:x.mp4",
        os.fsdecode(b"caf\xe9.mp4"),
    ],
)
def test_unusual_file_names_are_read(
    name: str, tone_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(tone_video.read_bytes())
    found, heard = log_mel(Path(name), np.array([1.0]))
    assert heard
    assert set(found[0].argmax(axis=0)) == {_band(1000)}


@pytest.mark.parametrize("program", ["/nowhere/ffmpeg", __file__])
def test_a_missing_program_is_told_to_the_user(
    program: str, tone_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", program)
    with pytest.raises(UserError, match=r"cannot be started: .*; .*reinstall imageio-ffmpeg"):
        log_mel(tone_video, np.array([1.0]))


@pytest.mark.parametrize("times", [np.array([0.0, np.nan]), np.array([np.inf]), np.zeros((2, 2))])
def test_times_must_be_finite(times: npt.NDArray[np.float64], tone_video: Path) -> None:
    with pytest.raises(ValueError, match="times must be finite"):
        log_mel(tone_video, times)


def test_no_times_are_no_windows(tone_video: Path) -> None:
    found, heard = log_mel(tone_video, np.zeros(0))
    assert found.shape == audio_shape(0)
    assert not heard


@pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="child processes are read in /proc"
)
def test_no_process_is_left_behind(
    tone_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _children()
    log_mel(tone_video, np.array([0.1]))
    assert _children() == before
    # A program that never ends and never says anything, interrupted while it is waited for.
    endless = tmp_path / "endless"
    endless.write_text("#!/bin/sh\nhead -c 32000 /dev/zero\nexec sleep 600\n")
    endless.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(endless))
    with pytest.raises(TimeoutError), _alarm(0.5):
        log_mel(tone_video, np.array([3.0]))
    assert _children() == before


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the body after a while, as a caller's time limit does."""

    def stop(signum: int, frame: object) -> None:
        raise TimeoutError

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _children() -> set[str]:
    own = Path(f"/proc/self/task/{os.getpid()}/children")
    return set(own.read_text().split())


def test_nothing_slow_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, data_prep.video.audio; "
        "slow = {'moviepy', 'imageio_ffmpeg', 'kaldi_native_fbank', 'tensorflow'}; "
        "print(sorted(slow & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_real_speech_is_heard_and_mute_videos_are_marked(real_data: Path) -> None:
    talking = sorted((real_data / "real_clips" / "grid").glob("*.mpg"))
    mute = sorted((real_data / "real_clips" / "mead").glob("*.mp4"))[:2]
    assert talking
    for path in talking[:3]:
        found, heard = log_mel(path, read_frames(path, 16).times)
        assert heard
        loudness = found.astype(np.float64).max(axis=(1, 2))
        assert loudness.max() > loudness.min() + 3
    assert not any(log_mel(path, read_frames(path, 16).times)[1] for path in mute)
