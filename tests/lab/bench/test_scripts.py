"""Scripts of `benchmarks`: every command is one that `tmunet bench` takes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tmunet.cli.bench import BenchConfig
from tmunet.cli.parser import parse
from tmunet.registry import list_models
from tmunet_lab.bench.model_spec import parse_model_specs

SCRIPTS = sorted((Path(__file__).parents[3] / "benchmarks").glob("*.sh"))


def test_the_scripts_are_found() -> None:
    assert {script.name for script in SCRIPTS} >= {"backends.sh", "gpu.sh", "training.sh"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_every_command_of_a_script_is_one(script: Path, tmp_path: Path) -> None:
    stand_in, log = tmp_path / "tmunet", tmp_path / "log"
    stand_in.write_text(f'#!/bin/sh\n(printf "%s\\n" "$@"; echo) >> {log}\n')
    stand_in.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["bash", script, tmp_path / "out"], env={**os.environ, "PATH": path}, check=True)
    commands = [command.splitlines() for command in log.read_text().strip().split("\n\n")]
    assert len(commands) > 1
    folders = []
    for verb, *words in commands:
        assert verb == "bench"
        config = parse(BenchConfig, words, "bench", words={"networks": ""})
        for spec in parse_model_specs(config.networks):
            assert spec.name in list_models()
        assert config.reference is None or config.reference in config.networks
        assert Path(config.out).is_dir()
        folders.append(config.out)
    assert len(set(folders)) == len(folders)
