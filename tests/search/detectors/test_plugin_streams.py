"""Streams of other packages: blocks beside ours, refused where no model could be made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import autokeras as ak
import keras
import keras_tuner
import pytest

from artifacts.leaderboard.descriptions import active_streams
from data_prep import plugins
from data_prep.errors import UserError
from data_prep.store.store import Store
from search.config.run_config import load, resolve
from search.detectors import plugin_streams
from search.detectors.space import build_detector, build_space
from search.studies.hyperparameters import fixed_hyperparameters
from search.studies.run_state import RunState, versions_here
from spaces.detector import DetectorBlock, detector_space

AddPackage = Callable[..., None]

CODE = """
import autokeras as ak
import keras
from spaces.layers.fixed_kernels import rgb

class IT(ak.Block):
    def build(self, hp, inputs=None):
        x = rgb(keras.tree.flatten(inputs)[0], name=self.name)
        {then}
        x = keras.layers.GlobalAveragePooling3D(name=f"{{self.name}}_mean")(x)
        return keras.layers.Dense(hp.Choice("units", [4, 8]), name=f"{{self.name}}_dense")(x)
"""
WORKS = CODE.format(then="")


@pytest.fixture
def space(
    add_package: AddPackage, write_config: Callable[..., Path], store: Store, tmp_path: Path
) -> Callable[..., keras.Model]:
    """Build what a run would try first with a stream of this code: ``space(CODE)``."""

    def build(code: str, streams: tuple[str, ...] = ("noise_residual", "mine")) -> keras.Model:
        add_package(plugins.STREAMS, "mine", code)
        config = load(write_config(tmp_path), {"space": {"streams": list(streams)}})
        graph = build_space(config, store)
        hp = fixed_hyperparameters({})
        model = build_detector(graph, hp, 0)
        plugin_streams.check_stock(model, config.space.streams)
        model.chosen = dict(hp.values)
        return model

    return build


def test_a_stream_is_searched_beside_ours(space: Callable[..., keras.Model]) -> None:
    model = space(WORKS)
    assert model.chosen["detector/mine"] is True
    assert model.chosen["detector/mine/units"] == 4
    assert active_streams(model.chosen) == ("noise-residual", "mine")
    assert model.get_layer("fusion_project_mine")


def test_a_stream_may_be_the_only_one(space: Callable[..., keras.Model]) -> None:
    model = space(WORKS, ("mine",))
    assert "detector/mine" not in model.chosen
    assert active_streams(model.chosen) == ("mine",)


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ("x = x.nothing", r"the stream mine \(other_code\.IT\) fails: AttributeError"),
        ("return x", r"the stream mine \(other_code\.IT\) gives \(None, .*expected one vector"),
        ("return None", r"gives NoneType; expected one vector"),
    ],
)
def test_a_stream_that_is_wrong_is_named(
    then: str, said: str, space: Callable[..., keras.Model]
) -> None:
    with pytest.raises(ValueError, match=said):
        space(CODE.format(then=then))


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ("x = x * 2.0", r"the stream mine puts Multiply \("),
        ("x = keras.layers.Lambda(lambda y: y, name='own')(x)", r"puts Lambda \(own\)"),
    ],
)
def test_a_stream_that_no_file_could_hold_is_refused(
    then: str, said: str, space: Callable[..., keras.Model]
) -> None:
    with pytest.raises(UserError, match=f"{said}.*no stock Keras layer"):
        space(CODE.format(then=then))


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("mine", "import nothing_of_this_name", "cannot be imported"),
        ("mine", "IT = 5", "is 5, expected a class made of autokeras.Block"),
        ("mine", "IT = dict", "is <class .dict.>, expected a class made of autokeras.Block"),
        ("mi-ne", WORKS, "needs a name of letters, digits and _"),
        ("temporal", WORKS, "has a name that is already taken"),
        (
            "mine",
            "import autokeras as ak\nclass IT(ak.Block):\n    def __init__(self): pass",
            "failed: TypeError",
        ),
    ],
)
def test_what_is_no_stream_is_one_line_that_names_its_package(
    name: str, code: str, said: str, add_package: AddPackage
) -> None:
    add_package(plugins.STREAMS, name, code)
    with pytest.raises(UserError, match=f"the stream {name} of the package other {said}"):
        plugin_streams.blocks(["spatial", name])


def test_a_configuration_says_which_streams_there_are(
    add_package: AddPackage, tmp_path: Path
) -> None:
    settings = {"store": "a.h5", "run_dir": str(tmp_path), "space": {"streams": ["mine"]}}
    with pytest.raises(UserError, match=r"no stream mine; there are spatial, .*, audio$"):
        resolve(settings)
    add_package(plugins.STREAMS, "mine", WORKS)
    assert resolve(settings).space.streams == ("mine",)


class Mean(ak.Block):
    """The mean colour."""

    def build(self, hp: object, inputs: object = None) -> keras.KerasTensor:
        x = keras.layers.Rescaling(1 / 255)(keras.tree.flatten(inputs)[0])
        return keras.layers.GlobalAveragePooling3D()(x)


def test_a_block_of_streams_keeps_those_of_other_make() -> None:
    with keras.saving.custom_object_scope({"Mean": Mean}):
        block = DetectorBlock(streams=("noise_residual",), added=[Mean(name="mine")])
        again = DetectorBlock.from_config(block.get_config())
    assert [type(one) for one in again.added] == [Mean]
    assert again.added[0].name == "mine"


@pytest.mark.parametrize("names", [("mine", "mine"), ("spatial",), ("fusion",)])
def test_names_of_streams_are_their_own(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="names of their own"):
        DetectorBlock(added=[Mean(name=name) for name in names])


def test_a_space_of_ones_own_takes_blocks(tmp_path: Path) -> None:
    space = detector_space((2, 32, 32, 4), streams=("noise_residual",), added=[Mean(name="mine")])
    hp = keras_tuner.HyperParameters()
    hp.values["detector/noise_residual"] = False
    assert space.build(hp).output_shape == (None, 1)


def test_a_worker_without_the_package_is_told(add_package: AddPackage) -> None:
    state = RunState("0" * 64, "run", {"other": "1.0"})
    try:
        versions_here.cache_clear()
        assert state.other_versions == ["other 1.0 (here none)"]
        add_package(plugins.STREAMS, "mine", WORKS)
        versions_here.cache_clear()
        assert state.other_versions == []
    finally:
        versions_here.cache_clear()
