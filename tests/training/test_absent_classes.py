"""A split whose sides lack a class trains, with a warning for each such class."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tmunet.errors import TMUNetWarning
from tmunet.files import write_json

from .runs import run_here

Make = Callable[..., Path]


def with_b(make_dataset: Make, names: Sequence[str]) -> Path:
    """Cases 0 to 7 train, 8 and 9 validate, 10 and 11 test; all have the class a, some b as well."""
    data = make_dataset()
    write_json(data / "dataset.json", {"classes": ["background", "a", "b"]})
    for name in names:
        mask = np.array(Image.open(data / "masks" / f"{name}.png"))
        mask[:5] = 2
        Image.fromarray(mask).save(data / "masks" / f"{name}.png")
    return data


def told(act: Callable[[], object]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    return [str(warning.message) for warning in caught if warning.category is TMUNetWarning]


@pytest.mark.parametrize(
    ("names", "absent"),
    [
        (("case8", "case10"), "on 2 images, is absent from train: "),
        (("case0", "case1"), "on 2 images, is absent from val and test: "),
        ((), "is on no image of the split: "),
    ],
)
def test_a_class_that_is_not_on_a_side_is_a_warning(
    make_dataset: Make, tmp_path: Path, names: Sequence[str], absent: str
) -> None:
    data = with_b(make_dataset, names)
    (message,) = told(lambda: run_here(data, tmp_path / "run", epochs=1))
    assert message.startswith(f"{data}: the class 'b'")
    assert absent in message
    assert "\n" not in message


def test_a_random_split_of_training_is_warned_of_and_not_balanced(make_dataset: Make, tmp_path: Path) -> None:
    data = with_b(make_dataset, ("case0",))
    (data / "split.json").unlink()
    (message,) = told(lambda: run_here(data, tmp_path / "run", epochs=1, batch_size=3))
    assert "'b', on 1 image, is absent from " in message


def test_a_class_on_every_side_is_no_warning(make_dataset: Make, tmp_path: Path) -> None:
    data = with_b(make_dataset, ("case0", "case8", "case10"))
    assert told(lambda: run_here(data, tmp_path / "run", epochs=1)) == []
