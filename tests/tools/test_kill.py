"""The kill test notices leftovers, doubles and commands that do not go on, and passes a command that writes atomically."""

import importlib.util
import random
import sys
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("kill", Path(__file__).parents[2] / "tools" / "kill.py")
assert SPEC is not None
assert SPEC.loader is not None
kill = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(kill)

WRITES = {  # what each command writes between two waits, in which it is killed
    "atomic": "(out / 'part').write_text('x'); (out / 'part').rename(out / 'file')",
    "doubled": "open(out / 'file', 'a').write('x')",
    "left": "(out / f'part{len(list(out.iterdir()))}').write_text('x'); (out / 'file').write_text('x')",
    "stuck": "(out / 'file').exists() and sys.exit('there already'); (out / 'file').write_text('x')",
}


WAIT = "time.sleep(0.3); (out / 'end').touch()"


@pytest.mark.parametrize("name", WRITES)
def test_a_fault_is_noticed(name: str) -> None:
    start = "import sys, time; from pathlib import Path; out = Path(sys.argv[1])"
    script = "; ".join((start, WRITES[name], WAIT))
    job = kill.Job(lambda _, folder: [sys.executable, "-c", script, str(folder)])
    found = list(kill.faults(job, 2, random.Random(0)))
    assert bool(found) == (name != "atomic"), found
