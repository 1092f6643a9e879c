"""NIfTI volumes and .npz slices become images of single slices."""

import json
from pathlib import Path

import numpy as np
import pytest

from tmunet.data.dataset import open_dataset, verify
from tmunet.data.io.images import decode_image
from tmunet.data.io.masks import read_mask
from tmunet.datasets._build.faults import DatasetImportError
from tmunet.datasets.import_folder import import_folder

nibabel = pytest.importorskip("nibabel")


def write_volume(path: Path, values: np.ndarray, zooms: tuple[float, ...] = (0.5, 0.8, 3.0)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, np.diag((*zooms, 1.0))), path)


def test_volumes_become_slices_with_their_spacing_and_group(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    volumes, masks = {}, {}
    for name in ("case1", "case2"):
        volumes[name] = random.integers(-1000, 2000, (40, 36, 3)).astype(np.int16)
        masks[name] = (random.random((40, 36, 3)) < 0.2).astype(np.float64)
        write_volume(tmp_path / "in" / "images" / f"{name}.nii.gz", volumes[name])
        write_volume(tmp_path / "in" / "labels" / f"{name}.nii.gz", masks[name])
    imported = import_folder(tmp_path / "in", tmp_path / "to")
    assert [case.name for case in imported.cases] == [f"{n}_slice{k:03d}" for n in volumes for k in range(3)]
    assert {case.group for case in imported.cases} == {"case1", "case2"}
    for case in imported.cases:
        name, number = case.name[:5], int(case.name[-3:])
        assert np.array_equal(decode_image(case.image).pixels[:, :, 0], volumes[name][:, :, number].T)
        assert case.mask is not None
        drawn = read_mask(case.mask, ("background", "foreground"))
        assert np.array_equal(drawn, masks[name][:, :, number].T)
    stated = json.loads((tmp_path / "to" / "dataset.json").read_text())["spacing_mm"]
    assert stated == {case.name: [pytest.approx(0.8), pytest.approx(0.5)] for case in imported.cases}
    verify(open_dataset(tmp_path / "to"))


def test_npz_slices_of_transunet(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    home = tmp_path / "Synapse" / "train_npz"
    home.mkdir(parents=True)
    label = np.zeros((32, 40), np.float32)
    label[4:9, 5:20], label[12:20, 5:30] = 1, 2
    for name in ("case0005_slice000", "case0005_slice001", "case0006_slice000"):
        np.savez(home / f"{name}.npz", image=random.random((32, 40)).astype(np.float32), label=label)
    imported = import_folder(tmp_path / "Synapse", tmp_path / "to", classes=("background", "aorta", "liver"))
    assert [case.name for case in imported.cases] == ["case0005_slice000", "case0005_slice001", "case0006_slice000"]
    assert [case.group for case in imported.cases] == ["case0005", "case0005", "case0006"]
    assert imported.cases[0].mask is not None
    assert np.array_equal(read_mask(imported.cases[0].mask, imported.info.classes), label)


@pytest.mark.parametrize("kind", ["npz", "keys", "pickle", "nifti", "4d"])
def test_what_cannot_be_read_is_told(tmp_path: Path, kind: str) -> None:
    home = tmp_path / "in"
    home.mkdir()
    path = home / ("a.nii.gz" if kind in ("nifti", "4d") else "a.npz")
    if kind == "keys":
        np.savez(path, x=np.zeros((4, 4)), y=np.zeros((4, 4)))
    elif kind == "pickle":
        np.savez(path, image=np.array([{}, {}]), label=np.zeros((4, 4)))
    elif kind == "4d":
        write_volume(path, np.zeros((4, 4, 3, 2), np.int16))
    else:
        path.write_bytes(b"\x1f\x8bnothing of the kind")
    with pytest.raises(DatasetImportError) as caught:
        import_folder(home, tmp_path / "to")
    assert [(fault.kind, fault.path) for fault in caught.value.faults] == [("unreadable", path.name)]
    assert not (tmp_path / "to").exists()
