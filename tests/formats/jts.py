"""JTS, the geometry library that QuPath reads polygons with, as an oracle."""

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

JAR = Path("/usr/share/java/jts-core.jar")

needs_jts = pytest.mark.skipif(
    not (JAR.is_file() and shutil.which("javac")),
    reason="needs JTS and a JDK: apt install libjts-java default-jdk-headless",
)


def wkt(polygons: Iterable[Sequence[Any]]) -> str:
    """Well-known text of polygons of open rings."""

    def ring_text(ring: Any) -> str:
        return "(" + ", ".join(f"{x} {y}" for x, y in [*ring, ring[0]]) + ")"

    return f"MULTIPOLYGON ({', '.join('(' + ', '.join(map(ring_text, rings)) + ')' for rings in polygons)})"


def check_by_jts(folder: Path, geometries: Sequence[str]) -> list[tuple[str, float, str]]:
    """For each well-known text "valid" or "invalid", the area, and the area at reduced precision or "refused"."""
    file = folder / "geometries.wkt"
    file.write_text("\n".join(geometries) + "\n", encoding="utf-8")
    program = Path(__file__).with_name("JtsCheck.java")
    done = subprocess.run(
        ["java", "-cp", str(JAR), str(program), str(file)], capture_output=True, text=True, timeout=120, check=True
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == len(geometries)
    return [(valid, float(area), reduced) for valid, area, reduced in lines]
