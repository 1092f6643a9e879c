"""The mutants of `tools/mutate.py` are programs, and no copies of the source."""

import ast
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("mutate", ROOT / "tools" / "mutate.py")
assert SPEC is not None
assert SPEC.loader is not None
mutate = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(mutate)


@pytest.mark.parametrize("file", ["metrics/functional.py", "training/fit.py"])
def test_each_mutant_is_another_program_that_differs_in_one_line(file: str) -> None:
    path = Path("src/tmunet") / file
    source = (ROOT / path).read_bytes()
    tree = ast.dump(ast.parse(source))
    found = mutate.mutants(path)
    assert len(found) > 20
    assert len({mutant.source for mutant in found}) == len(found)
    for mutant in found:
        assert ast.dump(ast.parse(mutant.source)) != tree
        first = next(
            n for n, (a, b) in enumerate(zip(source.splitlines(), mutant.source.splitlines(), strict=False)) if a != b
        )
        assert first == mutant.line - 1


def test_tests_that_name_the_module_run_first_and_all_at_last() -> None:
    (mutant, *_) = mutate.mutants(Path("src/tmunet/metrics/functional.py"))
    nearest, mirror, everything = mutate.stages(mutant, mirror_only=False)
    assert nearest[0] == "tests/metrics/test_functional.py"
    assert (mirror, everything) == (["tests/metrics"], [])
