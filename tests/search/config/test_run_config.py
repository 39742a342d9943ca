from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from search.config import run_config
from search.config.changes import find_changes
from search.config.run_config import PRESETS, RunConfig, decisive, resolve

PLACES = {"store": "s.h5", "run_dir": "run"}


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_preset_resolves(preset: str) -> None:
    assert resolve({**PLACES, "preset": preset}).preset == preset


def test_the_quick_preset_asks_for_less_than_the_thorough_one() -> None:
    quick, thorough = (resolve({**PLACES, "preset": name}) for name in ("quick", "thorough"))
    assert quick.architecture.trials < thorough.architecture.trials
    assert (quick.training.frames, thorough.training.frames) == (1, 0)


def test_an_ensemble_keeps_as_many_models_as_it_may_have() -> None:
    kept = {n: resolve({**PLACES, "kept_models": 3, "ensemble": n}).kept_trials for n in (0, 2, 5)}
    assert kept == {0: 3, 2: 3, 5: 5}


def test_settings_take_precedence_over_the_preset_key_by_key() -> None:
    config = resolve({**PLACES, "preset": "quick", "architecture": {"trials": 3}})
    assert config.architecture.trials == 3
    assert config.architecture.samples == PRESETS["quick"]["architecture"]["samples"]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"colour": 1}, "colour"),
        ({"architecture": {"trails": 3}}, "architecture.trails"),
        ({"architecture": {"trials": "many"}}, "architecture.trials"),
        ({"architecture": {"trials": 0}}, "architecture.trials"),
        ({"preset": "fast"}, "preset"),
        ({"preset": ["quick"]}, "preset"),
        ({"space": {"streams": []}}, "space.streams"),
        ({"space": {"backbones": ["resnet500"]}}, "no backbone resnet500; did you mean resnet50"),
        ({"space": {"fine_tune": "soon"}}, "space.fine_tune"),
        ({"space": {"fine_tune": 0}}, "space.fine_tune"),
        ({"space": {"inflate": -1}}, "space.inflate"),
        ({"space": {"inflate": 1}}, "set training.frames to 0, which shows all, or to 3"),
        (
            {"space": {"inflate": "search"}, "training": {"frames": 2}},
            "training.frames shows 2",
        ),
        ({"space": {"weights": "hed"}}, "hed weights are of vgg16 alone"),
        ({"space": {"weights": "hed", "backbones": ["small_cnn"]}}, "set backbones to vgg16"),
        ({"precision": "bfloat16"}, "precision"),
        ({"features_gb": -1}, "features_gb"),
        ({"storage": "sqlite:///a.db"}, "must be a PostgreSQL database"),
        ({"storage": "postgresql://host"}, "must be a PostgreSQL database"),
        ({"cluster": "host"}, "address of a Dask scheduler"),
        ({"device": "gpu"}, "must be any, cpu or gpu:N"),
        ({"limits": {"trial_minutes": -1}}, "limits.trial_minutes"),
        ({"training": {"max_samples": 0}}, "training.max_samples"),
        ({"architecture": {"epochs": 3}}, "architecture.epochs is now architecture.samples"),
        ({"training": {"max_epochs": 3}}, "training.max_epochs is now training.max_samples"),
        ({"architecture": {"clips": "all"}}, "architecture.clips is gone"),
        ({"architecture": 7}, "architecture"),
        ({"sampler": "hyperopt"}, "sampler"),
        ({"sampler": "grid"}, "set gan.trials and training.trials to 0"),
        ({"pruner": "wilcoxon"}, "pruner"),
        ({"architecture": {"clips": "some"}}, "architecture.clips"),
        ({"limits": {"params": -1}}, "limits.params"),
        ({"limits": {"latency_ms": "fast"}}, "limits.latency_ms"),
        (
            {"objective": "leave-one-method-out", "training": {"pseudo_fakes": 1}},
            "none of them is trained on",
        ),
        ({"objective": "auc+size", "sampler": "cmaes"}, "cmaes optimises one value"),
        ({"objective": "accuracy"}, "objective"),
        ({"training": {"pseudo_fakes": 2}}, "training.pseudo_fakes"),
        ({"training": {"pseudo_fakes": "many"}}, "training.pseudo_fakes"),
        ({"training": {"augmentation": "wild"}}, "training.augmentation"),
        ({"training": {"loss": "hinge"}}, "training.loss"),
        ({"training": {"mixup": 0.2}}, "training.mixup"),
        ({"training": {"gan_fakes": True, "pseudo_fakes": 1}}, "there are no other fakes"),
        ({"training": {"mixup": True, "loss": "pairwise"}}, "the pairwise loss needs pairs"),
        ({"store": None}, "store"),
        ({"seed": True}, "seed"),
        ({"seed": "3"}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"workers": 0}, "workers"),
        ({"architecture": {"learning_rate": float("inf")}}, "architecture.learning_rate"),
        ({"architecture": {"learning_rate": "0.1"}}, "architecture.learning_rate"),
    ],
)
def test_a_fault_is_one_line_that_names_the_key(settings: dict[str, object], named: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve({**PLACES, **settings})
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"presett": "quick"}, "no setting presett; did you mean preset or precision?"),
        ({"trials": 3}, "no setting trials; did you mean architecture.trials or gan.trials or"),
        ({"architecture": {"trails": 3}}, "no setting architecture.trails; did you mean trials"),
        ({"training": {"learning_rate": 1}}, "did you mean architecture.learning_rate?"),
        ({"architecture": 7}, "architecture must be a table of settings; received 7"),
        ({"architecture": {"trials": "3"}}, "architecture.trials must be a whole number; rec"),
        ({"workers": 0}, "configuration: workers must be at least 1; received 0"),
        ({"space": {"streams": "spatial"}}, "space.streams must be a list; received 'spatial'"),
        ({"space": {"streams": [3]}}, "space.streams must be text; received 3"),
        ({"space": {"fine_tune": "x"}}, "fine_tune must be a whole number or 'never', 'search'"),
        ({"minutes": "a", "seed": -1}, "seed must be at least 0; received -1; minutes must be"),
        ({"sampler": "grid"}, "configuration: the grid sampler needs"),
        ({"device": "gpu"}, "device: must be any, cpu or gpu:N, such as gpu:0"),
    ],
)
def test_a_fault_is_in_plain_english(settings: dict[str, object], line: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve({**PLACES, **settings})
    assert line in str(caught.value)


def test_a_configuration_made_in_python_has_the_same_errors() -> None:
    with pytest.raises(UserError, match=r"^configuration: store is missing; run_dir is missing$"):
        RunConfig()  # type: ignore[call-arg]


def test_paths_in_a_file_start_at_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('store = "data/s.h5"\nrun_dir = "runs/a"\n[space]\nweights = "weights"\n')
    config = run_config.load(file)
    assert config.space.weights == str(tmp_path / "weights")
    assert config.store == tmp_path / "data/s.h5"
    assert config.run_dir == tmp_path / "runs/a"


def test_a_dumped_configuration_comes_back_the_same_from_a_moved_folder(tmp_path: Path) -> None:
    config = resolve({"store": tmp_path / "s.h5", "run_dir": tmp_path / "a", "preset": "quick"})
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (moved / "config.toml").write_text(run_config.dump(config))
    loaded = run_config.load(moved / "config.toml")
    assert decisive(config) == decisive(loaded)
    assert loaded.run_dir == moved
    assert loaded.store == config.store


def test_weights_without_a_download_go_with_their_network() -> None:
    space = {"weights": "hed", "backbones": ["small_cnn", "vgg16"]}
    assert resolve({**PLACES, "space": space}).space.weights == "hed"


@pytest.mark.parametrize("stages", ["never", 2, "always", "search"])
def test_how_much_of_a_backbone_trains_is_a_word_or_a_number(stages: object) -> None:
    assert resolve({**PLACES, "space": {"fine_tune": stages}}).space.fine_tune == stages


def test_what_is_searched_is_not_pinned_and_architectures_are_trained_as_pinned() -> None:
    training = {
        "pseudo_fakes": 1,
        "augmentation": "search",
        "loss": "focal",
        "mixup": True,
        "weight_averaging": "search",
    }
    found = resolve({**PLACES, "training": training}).training
    assert found.pinned == {"pseudo_fakes": 1.0, "loss": "focal", "mixup": 0.2}
    made = {"augmentation": "strong", "weight_averaging": True, "gan_fakes": False}
    assert found.first == found.pinned | made
    assert resolve(PLACES).training.first["loss"] == "pairwise"
    blending = resolve({**PLACES, "training": {"mixup": True}}).training
    assert "loss" not in blending.first
    off = resolve({**PLACES, "training": {"pseudo_fakes": 0, "mixup": False}}).training
    assert (off.pinned["pseudo_fakes"], off.pinned["mixup"]) == (0.0, 0.0)


def test_differences_name_key_and_values_but_not_where_a_search_runs() -> None:
    where = {"workers": 2, "features_gb": 1, "device": "cpu", "limits": {"trial_minutes": 1}}
    ours = resolve({**PLACES, **where})
    theirs = resolve({**PLACES, "seed": 5})
    assert str(find_changes(decisive(ours), decisive(theirs))) == "seed: 0, 5"


def test_a_password_is_used_and_not_written() -> None:
    config = resolve({**PLACES, "storage": "postgres://me:p%40ss@db:5433/studies?password=b"})
    assert config.storage == "postgresql://me:p%40ss@db:5433/studies?password=b"
    written = tomllib.loads(run_config.dump(config))["storage"]
    assert written == "postgresql://me@db:5433/studies"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_a_configuration_saved_on_windows_is_read(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    mark = "\ufeff" if encoding.endswith("be") else ""
    text = mark + 'store = "Müller.h5"\r\nrun_dir = "a"\r\nseed = 3\r\n'
    file.write_bytes(text.encode(encoding))
    config = run_config.load(file)
    assert (config.store, config.seed) == (tmp_path / "Müller.h5", 3)
    assert RunDirectory(tmp_path).setting("seed") == 3


def test_utf16_without_a_mark_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes('store = "a.h5"\n'.encode("utf-16-le"))
    with pytest.raises(UserError, match=r"is not a TOML file: .*UTF-16") as raised:
        run_config.load(file)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["store = ", "\x00", "[["])
def test_a_file_that_is_no_toml_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(UserError, match="not a TOML file"):
        run_config.load(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no configuration at"):
        run_config.load(tmp_path / "none.toml")


def test_the_configuration_cannot_be_changed_in_passing() -> None:
    config: RunConfig = resolve(PLACES)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3  # type: ignore[misc]


def test_the_documented_defaults_are_the_defaults() -> None:
    page = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
    documented = tomllib.loads(page.split("```toml\n")[1].split("```")[0])
    defaults = resolve({"store": "store.h5", "run_dir": "runs/a"}).model_dump(mode="json")
    assert documented == defaults
