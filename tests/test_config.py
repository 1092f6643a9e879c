"""Settings: the same from Python, from plain data and from YAML; and the recipes."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmunet.config import from_mapping, known_keys, read_yaml, suggest, to_dict, to_yaml
from tmunet.data.config import AugmentConfig, Preprocess
from tmunet.errors import UsageError
from tmunet.training.config import LossConfig, OptimizerConfig, TrainConfig, list_recipes, read_recipe

share = st.floats(0, 1, exclude_max=True)
positive = st.floats(1e-9, 1e6)
word = st.from_regex(r"[a-z/][a-z0-9/_ -]{0,9}[a-z]", fullmatch=True).filter(lambda text: text != "null")
option = st.recursive(st.none() | st.booleans() | st.integers() | word, lambda inner: st.lists(inner, max_size=3))

configs = st.builds(
    TrainConfig,
    data=word,
    out=st.none() | word,
    split=st.none() | word,
    model_args=st.dictionaries(word, option, max_size=3),
    seed=st.integers(0, 2**32 - 1),
    preprocess=st.builds(Preprocess, size=st.integers(32, 4096), normalize=st.sampled_from(["imagenet", "image"])),
    epochs=st.integers(1, 10_000),
    batch_size=st.integers(1, 64),
    loss=st.builds(LossConfig, cross_entropy=positive, dice=positive),
    optimizer=st.builds(
        OptimizerConfig,
        name=st.sampled_from(["adam", "adamw"]),
        learning_rate=positive,
        schedule=st.sampled_from(["exponential", "cosine"]),
        decay=share.filter(lambda value: value > 0),
        warmup_epochs=positive,
        weight_decay=share,
        clip_norm=st.none() | positive,
        ema_decay=st.none() | share,
    ),
    augment=st.builds(
        AugmentConfig,
        horizontal_flip=share,
        quarter_turns=st.booleans(),
        zoom=st.floats(1, 4),
        contrast=share,
        color=share,
    ),
    upright=st.booleans(),
    precision=st.sampled_from(["float32", "bfloat16"]),
    monitor=st.sampled_from(["val_loss", "val_dice"]),
    device=st.sampled_from(["auto", "cpu", "cuda", "mps"]),
    tensorboard=st.booleans(),
)


@settings(max_examples=25, deadline=None)
@given(configs)
def test_settings_survive_plain_data_and_yaml(config: TrainConfig) -> None:
    assert from_mapping(TrainConfig, to_dict(config), where="here") == config
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(to_yaml(config), encoding="utf-8")
        assert from_mapping(TrainConfig, read_yaml(path), where="here") == config


def test_what_is_not_named_keeps_its_default() -> None:
    found = from_mapping(TrainConfig, {"data": "d", "optimizer": {"decay": 0.5}}, where="here")
    assert found == TrainConfig("d", optimizer=OptimizerConfig(decay=0.5))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 3}, "here: There is no setting 'epoch'. Did you mean 'epochs'?"),
        (
            {"optimizer": {"learning_rat": 1}},
            "no setting 'optimizer.learning_rat'. Did you mean 'optimizer.learning_rate'?",
        ),
        ({"preprocess": {"bogus": 1}}, "no setting 'preprocess.bogus'"),
        ({"epochs": "many"}, "here: Expected `epochs` to be a whole number, but got many."),
        ({"epochs": 1.5}, "here: Expected `epochs` to be a whole number, but got 1.5."),
        ({"seed": True}, "here: Expected `seed` to be a whole number, but got True."),
        ({"optimizer": {"name": "sgd"}}, "here: Expected `optimizer.name` to be adam or adamw, but got sgd."),
        ({"model_args": "full"}, "here: Expected `model_args` to be keys and values, but got full."),
        ({"preprocess": 512}, "here: Expected `preprocess` to be keys and values, but got 512."),
        ({"optimizer": None}, "here: Expected `optimizer` to be keys and values, but got None."),
        ({"optimizer.decay": 0.5}, "here: Expected the name of a setting, .* but got 'optimizer.decay'."),
        ({7: 1}, "here: Expected the name of a setting, .* but got 7."),
        ({"epochs": 0}, "here: Expected `epochs` to be at least 1, but got 0."),
        ({"devices": 3}, "here: Expected `batch_size` to be a multiple of the 3 devices, but got 16."),
        ({"preprocess": {"size": 31}}, "here: Expected `size` to be between 32 and 16384 pixels, but got 31."),
        ({"augment": {"horizontal_flip": 2}}, "here: Expected the probability of a flip to be between 0 and 1."),
    ],
)
def test_what_does_not_fit_is_an_error_that_says_where(values: dict[Any, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        from_mapping(TrainConfig, {"data": "d", **values}, where="here")


def test_data_has_to_be_named() -> None:
    with pytest.raises(UsageError, match=r"here: .*data"):
        from_mapping(TrainConfig, {}, where="here")


def test_nested_settings_have_dotted_names() -> None:
    assert {"data", "loss", "loss.dice", "optimizer.clip_norm", "augment.zoom"} < set(known_keys(TrainConfig))


def test_a_suggestion_is_the_nearest_word_or_all() -> None:
    assert suggest("trian", ["train", "info"]) == " Did you mean 'train'?"
    assert suggest("zoom", ["augment.zoom", "x"]) == " Did you mean 'augment.zoom'?"
    assert suggest("qqq", ["train", "info"]) == " Choose one of: info, train."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"a: !!python/object/apply:os.system ['touch executed']",
            "expected plain YAML, but found: could not determine",
        ),
        (b"a: !!python/name:os.system", "expected plain YAML"),
        (b"a: [1", "expected plain YAML"),
        (b"\xff\xfe\xfa", "expected plain YAML"),
        (b"[" * 1500, "expected plain YAML"),
        (b"- a\n- b", "expected keys and values, but found list"),
        (b"", "expected keys and values, but found NoneType"),
    ],
)
def test_a_file_that_is_not_plain_keys_and_values_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.yaml").write_bytes(content)
    with pytest.raises(UsageError, match=f"file.yaml: {message}"):
        read_yaml(Path("file.yaml"))
    assert [file.name for file in tmp_path.iterdir()] == ["file.yaml"]


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read \(No such file"):
        read_yaml(tmp_path / "nothing.yaml")


def test_the_recipe_paper_is_the_paper_and_nothing_else() -> None:
    assert to_dict(from_mapping(TrainConfig, {"data": "d", **read_recipe("paper")}, where="paper")) == {
        "data": "d",
        "out": None,
        "split": None,
        "recipe": "paper",
        "model": "tmunet_t",
        "model_args": {},
        "seed": 0,
        "preprocess": {"size": 512, "channels": 3, "normalize": "imagenet"},
        "epochs": 200,
        "batch_size": 16,
        "loss": {"cross_entropy": 2.0, "dice": 1.0},
        "optimizer": {
            "name": "adam",
            "learning_rate": 1e-4,
            "schedule": "exponential",
            "decay": 0.98,
            "warmup_epochs": 0.0,
            "weight_decay": 0.0,
            "clip_norm": None,
            "ema_decay": None,
        },
        "augment": {
            "horizontal_flip": 0.25,
            "vertical_flip": 0.0,
            "quarter_turns": False,
            "zoom": 1.0,
            "brightness": 0.0,
            "contrast": 0.0,
            "gamma": 0.0,
            "color": 0.0,
        },
        "upright": False,
        "precision": "float32",
        "checkpointing": False,
        "monitor": "val_loss",
        "device": "auto",
        "devices": 1,
        "nodes": 1,
        "tensorboard": False,
    }


def test_the_defaults_are_the_recipe_paper_but_for_its_augmentation() -> None:
    paper = from_mapping(TrainConfig, {"data": "d", **read_recipe("paper")}, where="paper")
    assert replace(paper, augment=AugmentConfig()) == TrainConfig("d")


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_loads_and_leaves_the_run_to_the_user(name: str) -> None:
    recipe = read_recipe(name)
    assert from_mapping(TrainConfig, {"data": "d", **recipe}, where=name).epochs == recipe["epochs"]
    assert recipe["loss"] == {"cross_entropy": 2.0, "dice": 1.0}  # Eq. 9


def test_the_recipes_are_those_of_the_documentation() -> None:
    assert {"demo", "nuclei", "paper", "strong"} <= set(list_recipes())


def test_a_recipe_may_be_a_file_but_does_not_name_data(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("epochs: 3")
    assert read_recipe(str(tmp_path / "mine.yaml")) == {"epochs": 3}
    (tmp_path / "mine.yaml").write_text("data: d")
    with pytest.raises(UsageError, match="a recipe does not set 'data'"):
        read_recipe(str(tmp_path / "mine.yaml"))
    with pytest.raises(UsageError, match=r"There is no recipe 'papr', .* Did you mean 'paper'\?"):
        read_recipe("papr")


@pytest.mark.parametrize(
    ("settings", "folder"),
    [
        ({"data": "sets/discs"}, "runs/discs-tmunet_t-paper-s0"),
        ({"data": "sets/discs/fold1.json", "recipe": "mine/fast.yaml", "seed": 3}, "runs/discs-tmunet_t-fast-s3"),
        ({"data": "sets/discs", "out": "here"}, "here"),
    ],
)
def test_a_run_folder_is_named_by_its_settings(settings: dict[str, Any], folder: str) -> None:
    assert TrainConfig(**settings).run_folder == Path(folder)


def test_a_key_that_stands_there_twice_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "twice.yaml").write_text("a: 1\nb: {c: 1, c: 2}\n")
    with pytest.raises(UsageError, match="the key 'c' twice"):
        read_yaml(tmp_path / "twice.yaml")
