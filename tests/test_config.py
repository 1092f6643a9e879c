"""Settings: the same from Python, from plain data and from YAML; and the recipes."""

import pickle
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmunet.config import from_mapping, known_keys, nest, read_yaml, suggest, to_dict, to_yaml
from tmunet.data.data_config import AugmentConfig, Preprocess
from tmunet.errors import DataError, InputError, UsageError
from tmunet.training.train_config import LossConfig, OptimizerConfig, TrainConfig, list_recipes, read_recipe

from .coded_errors import coded

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
    preprocess=st.builds(
        Preprocess, size=st.integers(32, 4096), normalize=st.sampled_from(["imagenet", "image", "efficientnet_lite"])
    ),
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
    ("values", "code", "message"),
    [
        ({"epoch": 3}, "key", "'epoch'. Did you mean 'epochs'?"),
        ({"optimizer": {"learning_rat": 1}}, "key", "Did you mean 'optimizer.learning_rate'?"),
        ({"preprocess": {"bogus": 1}}, "key", "'preprocess.bogus'"),
        ({"optimizer.decay": 0.5}, "key", "'optimizer.decay'"),
        ({7: 1}, "key", "got 7"),
        ({"epochs": "many"}, "type", "`epochs` to be a whole number, but got many"),
        ({"epochs": 1.5}, "type", "a whole number, but got 1.5"),
        ({"epochs": None}, "type", "a whole number, but got None"),
        ({"seed": True}, "type", "`seed` to be a whole number, but got True"),
        ({"optimizer": {"decay": "nan"}}, "type", "`optimizer.decay` to be a number"),
        ({"optimizer": {"clip_norm": "x"}}, "type", "a number or null, but got x"),
        ({"optimizer": {"name": "sgd"}}, "type", "`optimizer.name` to be adam or adamw, but got sgd"),
        ({"upright": 1}, "type", "`upright` to be true or false, but got 1"),
        ({"out": 5}, "type", "`out` to be text or null, but got 5"),
        ({"model_args": "full"}, "type", "`model_args` to be keys and values, but got full"),
        ({"preprocess": 512}, "type", "`preprocess` to be keys and values, but got 512"),
        ({"optimizer": None}, "type", "`optimizer` to be keys and values, but got None"),
        ({"epochs": 0}, "value", "`epochs`"),
        ({"devices": 3}, "value", "`batch_size`"),
        ({"preprocess": {"size": 31}}, "value", "`size`"),
        ({"augment": {"horizontal_flip": 2}}, "value", "between 0 and 1"),
    ],
)
def test_what_does_not_fit_is_an_error_that_says_where(values: dict[Any, Any], code: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_mapping(TrainConfig, {"data": "d", **values}, where=Path("here"))
    assert (caught.value.code, caught.value.path) == (code, Path("here"))
    assert str(caught.value).startswith("here: ")
    assert message in str(caught.value)


@dataclass(frozen=True)
class Inner:
    number: int = 0


@dataclass(frozen=True)
class Outer:
    pair: tuple[int, float] = (1, 1.0)
    several: tuple[Inner, ...] = ()
    one: Inner | None = None
    words: list[str] = field(default_factory=list)
    either: int | Literal["auto"] = "auto"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"pair": [2, 3]}, Outer(pair=(2, 3.0))),
        ({"pair": ["2", "1e-4"]}, Outer(pair=(2, 1e-4))),  # YAML reads 1e-4 as text
        ({"several": [{"number": 1}, {}]}, Outer(several=(Inner(1), Inner()))),
        ({"one": {"number": 4}}, Outer(one=Inner(4))),
        ({"one": None}, Outer()),
        ({"words": ["a", "b"], "either": 3}, Outer(words=["a", "b"], either=3)),
        ({"either": "auto", "one": Inner(2)}, Outer(one=Inner(2))),
    ],
)
def test_types_inside_types_are_built(values: dict[str, Any], expected: Outer) -> None:
    found = from_mapping(Outer, values, "here")
    assert found == expected
    assert [type(item) for item in found.pair] == [int, float]


@pytest.mark.parametrize(
    ("values", "code", "key"),
    [
        ({"pair": [1]}, "type", "`pair`"),
        ({"pair": "12"}, "type", "`pair`"),
        ({"several": [{"number": "x"}]}, "type", "`several.number`"),
        ({"several": [{"nmber": 1}]}, "key", "Did you mean 'several.number'?"),
        ({"one": {"number": 1.5}}, "type", "`one.number`"),
        ({"one": 5}, "type", "`one`"),
        ({"words": "ab"}, "type", "`words`"),
        ({"either": "manual"}, "type", "a whole number or auto"),
    ],
)
def test_types_inside_types_are_checked(values: dict[str, Any], code: str, key: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_mapping(Outer, values, "here")
    assert (caught.value.code, key in str(caught.value)) == (code, True)


def test_data_has_to_be_named() -> None:
    with pytest.raises(UsageError, match="`data`") as caught:
        from_mapping(TrainConfig, {}, where="here")
    assert caught.value.code == "missing"


def test_nested_settings_have_dotted_names() -> None:
    assert {"data", "loss", "loss.dice", "optimizer.clip_norm", "augment.zoom"} < set(known_keys(TrainConfig))


def test_a_suggestion_is_the_nearest_word_or_all() -> None:
    assert suggest("trian", ["train", "info"]) == " Did you mean 'train'?"
    assert suggest("zoom", ["augment.zoom", "x"]) == " Did you mean 'augment.zoom'?"
    assert suggest("qqq", ["train", "info"]) == " Choose one of: info, train."


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"a: !!python/object/apply:os.system ['touch executed']", "yaml"),
        (b"a: !!python/name:os.system", "yaml"),
        (b"a: [1", "yaml"),
        (b"\xff\xfe\xfa", "yaml"),
        (b"[" * 1500, "yaml"),
        (b"a: 1\nb: {c: 1, c: 2}\n", "yaml"),  # a key twice
        (b"- a\n- b", "type"),
        (b"", "type"),
    ],
)
def test_a_file_that_is_not_plain_keys_and_values_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, code: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.yaml").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_yaml(Path("file.yaml"))
    assert (caught.value.code, caught.value.path) == (code, Path("file.yaml"))
    assert [file.name for file in tmp_path.iterdir()] == ["file.yaml"]


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_yaml(tmp_path / "nothing.yaml")
    assert (caught.value.code, caught.value.path) == ("unreadable", tmp_path / "nothing.yaml")


def test_the_recipe_paper_is_the_paper_and_nothing_else() -> None:
    assert to_dict(from_mapping(TrainConfig, {"data": "d", **read_recipe("paper")}, where="paper")) == {
        "data": "d",
        "out": None,
        "split": None,
        "recipe": "paper",
        "model": "tmunet_t",
        "model_args": {},
        "pretrained": None,
        "from_": None,
        "freeze_encoder_batchnorm": False,
        "seed": 0,
        "preprocess": {"size": 512, "channels": 3, "normalize": "imagenet"},
        "epochs": 200,
        "minutes": None,
        "batch_size": 16,
        "loss": {"cross_entropy": 2.0, "dice": 1.0},
        "optimizer": {
            "name": "adam",
            "learning_rate": 1e-4,
            "encoder_learning_rate_factor": 1.0,
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
    assert {"demo", "finetune", "nuclei", "paper", "strong"} <= set(list_recipes())


def test_a_recipe_may_be_a_file_but_does_not_name_data(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("epochs: 3")
    assert read_recipe(str(tmp_path / "mine.yaml")) == {"epochs": 3}
    (tmp_path / "mine.yaml").write_text("data: d")
    with pytest.raises(UsageError, check=coded("key")):
        read_recipe(str(tmp_path / "mine.yaml"))
    with pytest.raises(UsageError, check=coded("recipe")):
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


def test_nested_dotted_and_plain_names_are_one_setting() -> None:
    for values in ({"optimizer": {"decay": 0.5}}, {"optimizer.decay": 0.5}, {"decay": 0.5}):
        assert nest(TrainConfig, values, "here") == {"optimizer": {"decay": 0.5}}
    assert nest(TrainConfig, {"bogus": 1}, "here") == {"bogus": 1}  # from_mapping says that there is none
    with pytest.raises(UsageError) as caught:
        nest(Twice, {"number": 1}, "here")
    assert caught.value.code == "ambiguous"


@dataclass(frozen=True)
class Twice:
    a: Inner = field(default_factory=Inner)
    b: Inner = field(default_factory=Inner)


def test_errors_have_codes_and_paths() -> None:
    assert (InputError("x").code, InputError("x").path, InputError("x").exit_code) == ("input", None, 3)
    error = UsageError("x", code="value", paths=[Path("a"), Path("b")])
    assert (error.code, error.path, error.paths) == ("value", Path("a"), (Path("a"), Path("b")))
    faults = DataError("folder", ["one", "two"])
    assert (faults.code, faults.path, faults.faults) == ("data", Path("folder"), ("one", "two"))
    copied = pickle.loads(pickle.dumps(faults))  # as between processes
    assert (str(copied), copied.faults, copied.path) == (str(faults), faults.faults, faults.path)
