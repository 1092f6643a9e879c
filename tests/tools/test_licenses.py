"""Licenses and bill of materials of the pinned packages; see tools/licenses.py and tools/sbom.py."""

import importlib
import json
import re
import subprocess
import sys
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def licenses() -> ModuleType:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        return importlib.import_module("licenses")
    finally:
        sys.path.remove(str(ROOT / "tools"))


def installed(folder: Path, metadata: str, files: dict[str, str]) -> Distribution:
    """A package as pip would leave it."""
    info = folder / "some_package-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: some-package\nVersion: 1.0\n{metadata}\n")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in files))
    return PathDistribution(info)


@pytest.mark.parametrize(
    ("metadata", "license_", "permissive"),
    [
        ("License-Expression: MIT AND Apache-2.0 WITH LLVM-exception", "MIT AND Apache-2.0 WITH LLVM-exception", True),
        ("License-Expression: MIT OR GPL-2.0-only", "MIT OR GPL-2.0-only", True),
        ("License-Expression: MIT AND GPL-2.0-only", "MIT AND GPL-2.0-only", False),
        ("License-Expression: AGPL-3.0-or-later", "AGPL-3.0-or-later", False),
        ("License: MIT", "MIT", True),
        ("License: CC-BY-NC-4.0", "CC-BY-NC-4.0", False),
        ("Classifier: License :: OSI Approved :: MIT License", "MIT", True),
        (
            "Classifier: License :: OSI Approved :: GNU General Public License (GPL)",
            "GNU General Public License (GPL)",
            False,
        ),
        ("License: private", "private", False),
        ("", "unknown", False),
    ],
)
def test_declared_license(tmp_path: Path, licenses: ModuleType, metadata: str, license_: str, permissive: bool) -> None:
    found = licenses.declared_license(installed(tmp_path, metadata, {}))
    assert (found, licenses.is_permissive(found)) == (license_, permissive)


def test_what_a_wheel_carries_inside(tmp_path: Path, licenses: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    info = "some_package-1.0.dist-info/licenses"
    package = installed(
        tmp_path,
        "License-Expression: MIT",
        {
            "some_package.libs/libgomp-e985bcbb.so.1.0.0": "",
            "some_package.libs/libx264-0123abcd.so.164": "",
            "some_package/_core.cpython-311-x86_64-linux-gnu.so": "",
            f"{info}/LICENSE": "Permission is hereby granted, free of charge",
            f"{info}/COPYING": "  GNU GENERAL PUBLIC LICENSE\n Version 3",
            f"{info}/LICENSE-bundled": "Name: x\nLicense: LGPL-2.1-or-later\n",
            f"{info}/LICENSE-mpl": "means either the GNU General Public License, Version 2.0, the GNU",
        },
    )
    monkeypatch.setattr(licenses, "distribution", lambda _: package)
    found = licenses.inspect("some-package", "1.0")
    assert found.linked == ("gomp",)
    assert sorted(found.faults) == [
        "bundled library x264",
        f"license file {info}/COPYING",
        f"license file {info}/LICENSE-bundled",
    ]


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_all_pinned_packages_are_permitted(tmp_path: Path) -> None:
    done = run("tools/licenses.py", "--table", str(tmp_path / "a.md"))
    assert done.returncode == 0, done.stdout + done.stderr
    page = (ROOT / "docs/reference/licenses.md").read_text(encoding="utf-8")
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == page


@pytest.mark.slow
def test_bill_of_materials(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    for file in (first, second):
        assert run("tools/sbom.py", "--out", str(file)).returncode == 0
    assert first.read_bytes() == second.read_bytes()
    bill = json.loads(first.read_text(encoding="utf-8"))
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    assert re.fullmatch(f"urn:uuid:{uuid}", bill["serialNumber"])
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")
    )
    assert {one["name"]: one["version"] for one in bill["components"]} == pinned
    for one in [bill["metadata"]["component"], *bill["components"]]:
        assert one["type"] in ("library", "application")
        assert re.fullmatch(r"pkg:pypi/[a-z0-9-]+@[\w.%]+", one["purl"]), one
        (license_,) = one["licenses"]
        assert set(license_) in ({"license"}, {"expression"})
    references = [one["bom-ref"] for one in bill["components"]]
    assert len(set(references)) == len(references)
    (dependency,) = bill["dependencies"]
    assert sorted(dependency["dependsOn"]) == sorted(references)
