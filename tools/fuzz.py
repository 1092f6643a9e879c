"""Read damaged files of every kind: only errors of tmunet, in bounded time and memory, and no stray files.

    python tools/fuzz.py all --inputs 10000 --seed 0
    python tools/fuzz.py png yaml --inputs 300 --table docs/reference/hostile-input.md

Each reader runs in a child process. The exit code is 1 if one input broke a promise; such an input is named by its reader,
seed and number, from which the same command makes it again.
"""

import argparse
import importlib.util
import json
import os
import random
import re
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECONDS, MEBIBYTES = 2.0, 512.0  # promised for one input
PATIENCE = 240  # seconds without a word from the child, after which it counts as hanging
LENGTHS = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\1\0\0\0", b"\0\0\0\1")
WORDS = (
    b"9" * 400,
    b"9" * 5000,
    b"1e999",
    b"NaN",
    b"-1",
    b"null",
    b"\0",
    b"\xff",
    b'"',
    b"2026-13-45",
    b"0x",
    b"{}",
    b"&a ",
    b"*a",
    b"<",
)
NESTING = (b"[", b"{", b'{"a":', b"<a>", b"- ", b"(", b"\n ")


@dataclass
class Outcome:
    """What a reader did with its inputs; seconds of processor time, and MiB over what the process had before an input."""

    reader: str
    inputs: int = 0
    read: int = 0
    refused: int = 0
    seconds: float = 0.0
    mebibytes: float = 0.0
    faults: list[str] = field(default_factory=list)


def mutate(originals: list[bytes], is_text: bool, rng: random.Random) -> bytes:
    """Damage one of the originals in one to twenty places."""
    data = bytearray(rng.choice(originals))
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        end = max(1, len(data))
        place = rng.randrange(end) if rng.random() < 0.5 else rng.randrange(min(end, 256))
        match rng.randrange(9 if is_text else 7):
            case 0:
                data[place : place + 1] = bytes([(data[place] if data else 0) ^ (1 << rng.randrange(8))])
            case 1:
                data[place : place + 4] = rng.choice(LENGTHS)
            case 2:
                data[place : place + 1] = bytes([rng.randrange(256)])
            case 3:
                del data[place : place + rng.randrange(1, 64)]
            case 4:
                start = rng.randrange(end)
                data[place:place] = data[start : start + rng.randrange(1, 64)]
            case 5:
                other = rng.choice(originals)
                cut = rng.randrange(min(len(other), 128))
                data[:cut] = other[:cut]
            case 6 if rng.random() < 0.3:
                del data[place:]
            case 7:
                values = [found.end() for found in re.finditer(rb": |[,=\[]", data)] or [place]
                place = rng.choice(values)
                end = place + len(re.match(rb"[^\n,\]} >]*", data[place:])[0])  # type: ignore[index]
                data[place:end] = rng.choice(WORDS)
            case 8:
                data[place:place] = rng.choice(NESTING) * rng.choice((2, 100, 20_000))
    return bytes(data)


def _memory(key: str) -> float:
    """MiB of the process: VmRSS is now, VmHWM the most since `_forget_peak`."""
    status = Path("/proc/self/status")
    if not status.exists():  # macOS: the most since the start, in bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    line = next(line for line in status.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1024


def _forget_peak() -> None:
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if not path.is_dir()}


def child(name: str, seed: int, start: int, count: int) -> None:
    """Read the inputs from `start`; a line of JSON for each."""
    from fuzz_readers import READERS

    from tmunet.errors import TMUNetError

    reader = READERS[name]
    warnings.simplefilter("ignore")
    os.environ["TQDM_DISABLE"] = "1"
    sink = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder, out = Path(temporary) / "in", Path(temporary) / "out"
        folder.mkdir()
        originals = reader.originals(folder)
        path = folder / reader.file
        for number in range(-len(originals), count):  # first the valid ones, which also import what is needed
            data = originals[number] if number < 0 else b""
            if 0 <= number < start:
                continue
            if number >= 0:
                data = mutate(originals, reader.is_text, random.Random(f"{name}/{seed}/{number}"))
            out.mkdir()
            path.write_bytes(data)
            expected = _files(Path(temporary))
            _forget_peak()
            before, begun, kind = _memory("VmRSS"), time.process_time(), "read"
            fault = ""
            try:
                reader.read(path, out)
            except TMUNetError:
                kind = "refused"
            except BaseException as error:
                kind, fault = "escaped", f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
            seconds, grown = time.process_time() - begun, _memory("VmHWM") - before
            written = _files(out)
            if (_files(Path(temporary)) - written) - expected:
                fault = "a file outside of the output folder"
            elif kind == "refused" and written:
                fault = "a file was left though the input was refused"
            elif number >= 0 and kind != "escaped" and (seconds > SECONDS or grown > MEBIBYTES):
                fault = f"{seconds:.1f} s, {grown:.0f} MiB"
            if number < 0 and kind != "read":
                fault = f"a valid file was {kind} {fault}"
            print(json.dumps([number, kind, seconds, grown, fault]), file=sink, flush=True)
            shutil.rmtree(out)


def _lines(command: list[str]) -> Iterator[list[object] | str]:
    """What a child says, input by input; last, as text, how it ended."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    rest, ended = b"", ""
    while True:
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
        block = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
        if not block:
            ended = "" if ready else f"hangs for {PATIENCE} s"
            break
        *whole, rest = (rest + block).split(b"\n")
        yield from (json.loads(line) for line in whole)
    if ended:
        process.kill()
    code = process.wait()
    process.stdout.close()
    yield ended or (f"the process died with exit code {code}" if code else "")


def fuzz(name: str, inputs: int, seed: int) -> Outcome:
    """Give a reader its inputs, in a child process that is started again after an input it did not survive."""
    outcome, start = Outcome(name), 0
    while start < inputs:
        last, ended = start - 1, ""
        for line in _lines([sys.executable, __file__, name, "--seed", str(seed), "--child", str(start), str(inputs)]):
            if isinstance(line, str):
                ended = line
                continue
            number, kind, seconds, grown, fault = line
            if fault:
                outcome.faults.append(f"{name}, seed {seed}, number {number}: {fault}")
            if number < 0:
                continue
            last = number
            outcome.inputs += 1
            outcome.read += kind == "read"
            outcome.refused += kind == "refused"
            outcome.seconds = max(outcome.seconds, seconds)
            outcome.mebibytes = max(outcome.mebibytes, grown)
        if not ended:
            break
        outcome.faults.append(f"{name}, seed {seed}, number {last + 1}: {ended}")
        outcome.inputs += 1
        start = last + 2
        if len(outcome.faults) > 20:
            break
    return outcome


def table(outcomes: list[Outcome], seed: int, command: str) -> str:
    """The page of figures."""
    rows = "\n".join(
        f"| {one.reader} | {one.inputs:,} | {one.read:,} | {one.refused:,} | {len(one.faults)} | "
        f"{one.seconds:.2f} | {one.mebibytes:.0f} |"
        for one in outcomes
    )
    return f"""# Hostile input

Files from outside may be damaged or made to do harm. Each reader promises: nothing but a `TMUNetError` leaves it, within
{SECONDS:g} s of processor time and {MEBIBYTES:g} MiB of memory for one small file; nothing is written outside of the
output folder, and nothing is left of an input that was refused. Valid files are damaged (bits, bytes, false lengths,
parts cut out, repeated or taken from the head of another file, truncation; in text also long numbers and deep nesting)
and read in a child process. [Limits of sizes](file-limits.md) hold for all of them.

| reader | inputs | read | refused | broken promises | slowest, s | most memory, MiB |
|---|---|---|---|---|---|---|
{rows}

Seed {seed}. Made by `{command}`. Programs outside of Python (ffprobe) count neither time nor memory here; each has a time limit.
"""


def main() -> int:
    """Run the readers that were named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="+", metavar="READER", help="names, or all")
    parser.add_argument("--inputs", type=int, default=300, help="damaged files for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", type=Path, help="write the figures there, as Markdown")
    parser.add_argument("--child", nargs=2, type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.readers[0], given.seed, *given.child)
        return 0
    from fuzz_readers import READERS

    names = list(READERS) if given.readers == ["all"] else given.readers
    if unknown := [name for name in names if name not in READERS]:
        parser.error(f"no reader {', '.join(unknown)}; expected all or {', '.join(READERS)}")
    outcomes = []
    for name in names:
        missing = [one for one in READERS[name].packages if importlib.util.find_spec(one) is None]
        if missing or (name == "video" and shutil.which("ffmpeg") is None):
            print(f"{name}: skipped, {', '.join(missing) or 'ffmpeg'} is not installed", flush=True)
            continue
        outcomes.append(fuzz(name, given.inputs, given.seed))
        one = outcomes[-1]
        print(
            f"{name}: {one.inputs} inputs, {one.read} read, {one.refused} refused, {one.seconds:.2f} s, {one.mebibytes:.0f} MiB, "
            f"{len(one.faults)} broken promises",
            flush=True,
        )
        kinds = Counter(fault.split(": ", 1)[1] for fault in one.faults)
        for kind, count in kinds.most_common(10):
            print(f"  {count} x {next(fault for fault in one.faults if fault.endswith(kind))}", flush=True)
    if given.table:
        options = f"--inputs {given.inputs} --seed {given.seed} --table {given.table}"
        command = f"python tools/fuzz.py {' '.join(given.readers)} {options}"
        given.table.write_text(table(outcomes, given.seed, command), encoding="utf-8")
    return int(any(one.faults for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
