"""`tmunet nnunet`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tmunet.data.dataset import open_dataset
from tmunet.data.load import load_case

from .conftest import Answer

Run = Callable[..., Answer]
Make = Callable[..., Path]


def test_a_data_set_goes_to_nnunet_and_comes_back(tmunet: Run, make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(train=4, valid=2, test=2, classes=3)
    answer = tmunet("nnunet", "export", data, tmp_path / "raw", "--number", 7)
    assert answer.code == 0
    assert "Dataset007_discs: 6 training and 2 test images of 3 channels" in answer.out
    answer = tmunet("import", "nnunet", tmp_path / "raw" / "Dataset007_discs", tmp_path / "back")
    assert answer.code == 0
    assert f"Next: tmunet split {tmp_path / 'back'} --kind official" in answer.out
    first, second = open_dataset(data), open_dataset(tmp_path / "back")
    assert second.info.classes == first.info.classes
    assert [case.name for case in second.cases] == [case.name for case in first.cases]
    for a, b in zip(first.cases, second.cases, strict=True):
        one, other = load_case(a, first.info), load_case(b, second.info)
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.mask, other.mask)
    assert tmunet("nnunet", "export", data, tmp_path / "raw", "--number", 7).code == 2


def test_actions_are_listed_and_others_are_refused(tmunet: Run) -> None:
    assert "export" in tmunet("nnunet").out
    answer = tmunet("nnunet", "exprt")
    assert answer.code == 2
    assert "There is no action 'exprt'. Did you mean 'export'?" in answer.err
