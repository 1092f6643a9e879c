"""What `tmunet check` shows."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from .conftest import Answer

Run = Callable[..., Answer]


def test_findings_are_listed_by_kind(
    tmunet: Run, golden: Callable[..., None], make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    data = make_dataset(train=4)
    (data / "masks" / "case1.png").unlink()
    (data / "images" / "case2.png").write_bytes(b"")
    Image.new("L", (47, 48)).save(data / "masks" / "case3.png")
    (data / "images" / "case5.png").write_bytes((data / "images" / "case0.png").read_bytes())
    found = tmunet("check", data)
    fixed = tmunet("check", data, "--fix", tmp_path / "copy", "--html", tmp_path / "check.html")
    assert (found.code, found.error) == (1, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["check.html", "copy", "discs"]
    golden("check", found.out + fixed.out)
