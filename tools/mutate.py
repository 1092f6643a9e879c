"""Mutation test: change random lines of the source in a copy, and count the changes that the fast tests notice.

    python tools/mutate.py --seed 17 --count 10 --workers 2

Each mutant changes one operator, comparison, condition or number. First the tests run that name its module, then, if it
survives, those that mirror its folder, then all. The working tree is not touched.
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("training", "data", "prediction", "metrics")
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclass(frozen=True)
class Mutant:
    """One changed expression."""

    path: Path
    line: int
    before: str
    after: str
    source: bytes

    def __str__(self) -> str:
        before, after = (" ".join(text.split())[:70] for text in (self.before, self.after))
        return f"{self.path}:{self.line}: {before}  ->  {after}"


def _swapped(node: ast.expr) -> ast.expr | None:
    """The node with another operator, the opposite condition or another number; None if it has nothing to change."""
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
        return ast.BinOp(node.left, SWAPS[type(node.op)](), node.right)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        return ast.Compare(node.left, [SWAPS[type(node.ops[0])](), *node.ops[1:]], node.comparators)
    if isinstance(node, ast.BoolOp):
        return ast.BoolOp(SWAPS[type(node.op)](), node.values)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return node.operand
    if isinstance(node, ast.IfExp):
        return ast.IfExp(node.test, node.orelse, node.body)
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return ast.Constant(node.value + 1)
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        return ast.Constant(not node.value)
    return None


def _expressions(node: ast.AST) -> Iterator[ast.expr]:
    """What computes something: no annotations (Python does not look at them), no text (tests do not quote it)."""
    for name, child in ast.iter_fields(node):
        for each in child if isinstance(child, list) else [child]:
            if isinstance(each, ast.JoinedStr | ast.Raise) or not isinstance(each, ast.AST):
                continue
            if name in ("annotation", "returns") or (isinstance(node, ast.ClassDef) and name == "bases"):
                continue
            if isinstance(each, ast.expr):
                yield each
            yield from _expressions(each)


def mutants(path: Path) -> list[Mutant]:
    """All mutants of a file of the source."""
    source = (ROOT / path).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node in _expressions(ast.parse(source)):
        changed = _swapped(node)
        if changed is not None and node.end_lineno is not None and node.end_col_offset is not None:
            first, last = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
            text = ast.unparse(changed)
            mutated = source[:first] + b"(" + text.encode() + b")" + source[last:]
            found.append(Mutant(path, node.lineno, source[first:last].decode(), text, mutated))
    return found


def stages(mutant: Mutant, mirror_only: bool) -> Iterator[list[str]]:
    """The tests to run, the likeliest to fail first; an empty list stands for all."""
    module = ".".join(mutant.path.with_suffix("").parts[1:])
    mirror = Path("tests") / mutant.path.parts[2]
    tests = [
        path.relative_to(ROOT) for path in sorted((ROOT / "tests").rglob("test_*.py")) if module in path.read_text()
    ]
    yield [str(path) for path in sorted(tests, key=lambda path: mutant.path.stem not in path.stem)] or [str(mirror)]
    yield [str(mirror)]
    if not mirror_only:
        yield []


def first_failure(mutant: Mutant, tests: list[str], workers: int, copy: Path) -> str | None:
    """The test that notices the mutant; None if these tests pass."""
    (copy / mutant.path).write_bytes(mutant.source)
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "xdist.plugin"]
    command += ["--numprocesses", str(workers), *tests]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    shutil.copy2(ROOT / mutant.path, copy / mutant.path)
    if done.returncode == 0:
        return None
    failed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return failed[0] if failed else f"exit code {done.returncode}"


def main() -> int:
    """Draw, run and list mutants; 1 if fewer than nine of ten are noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--mirror-only", action="store_true", help="run no tests but those that mirror the file's folder"
    )
    options = parser.parse_args()
    drawn = random.Random(options.seed)
    files = [p for room in ROOMS for p in sorted((ROOT / "src/tmunet" / room).rglob("*.py"))]
    sites = [mutant for path in files for mutant in mutants(path.relative_to(ROOT))]
    alive = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "runs", "__pycache__", ".*_cache"))
        for mutant in drawn.sample(sites, options.count):
            runs = (
                first_failure(mutant, tests, options.workers, copy) for tests in stages(mutant, options.mirror_only)
            )
            failed = next((test for test in runs if test), None)
            alive += failed is None
            print("SURVIVED" if failed is None else f"killed by {failed}", mutant, sep="\n    ", flush=True)
    print(f"{options.count - alive} of {options.count} noticed (seed {options.seed}, of {len(sites)} places)")
    return int(alive > options.count / 10)


if __name__ == "__main__":
    sys.exit(main())
