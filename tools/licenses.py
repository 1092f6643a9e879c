"""Check the licenses of all packages of constraints.txt, and of what their wheels carry inside.

    python tools/licenses.py [--table docs/reference/licenses.md]

Reads the metadata, the license files and the names of the shared libraries of the installed packages. The exit code is 1 if
a package is missing, or one has a license that is neither permissive nor named in tools/reviewed_licenses.py.
"""

import argparse
import re
import sys
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from reviewed_licenses import BUNDLED, LINKED, NOTICES, PACKAGES, PERMISSIVE, SPELLINGS

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
_LIBRARY = re.compile(r"(?:^|/)lib([^/]+?)(?:-[0-9a-f]{8})*(?:\.so(?:\.[\d.]+)?|\.\d[\d.]*\.dylib|\.dylib)$")
_NOTICE = re.compile(r"licen[cs]e|copying|notice|third.party", re.IGNORECASE)
_TITLE = re.compile(r"^\s*GNU (LESSER |LIBRARY |AFFERO )?GENERAL PUBLIC LICENSE|non-?commercial", re.IGNORECASE)
_STATEMENT = re.compile(r"^\s*licen[cs]e:.*\b[AL]?GPL|^\s*\bL?GPL[ -]?[23]", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Package:
    """A pinned package.

    Attributes:
        license: an SPDX expression, or what the metadata say.
        linked: bundled shared libraries under the LGPL or the GPL with GCC's exception.
        faults: what is not permitted, or not known.
    """

    name: str
    version: str
    license: str
    linked: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def pins(file: Path = CONSTRAINTS) -> dict[str, str]:
    """Read names and versions, in the order of the file."""
    lines = (line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return dict(line.split("==", 1) for line in lines if line)


def normalized(name: str) -> str:
    """The form of a name that the Python Package Index compares."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared_license(found: Distribution) -> str:
    """The license by the reviewed table, the expression, the classifiers or the license field, in this order."""
    metadata = found.metadata
    if (name := normalized(metadata["Name"])) in PACKAGES:
        return PACKAGES[name][0]
    if expression := metadata.get("License-Expression"):
        return str(expression)
    field = (metadata.get("License") or "").strip()
    if field in PERMISSIVE or field in SPELLINGS or re.fullmatch(r"[\w.-]+( (AND|OR) [\w.-]+)+", field):
        return SPELLINGS.get(field, field)
    classifiers = [
        one.split(" :: ")[-1] for one in metadata.get_all("Classifier") or [] if one.startswith("License ::")
    ]
    return " AND ".join(SPELLINGS.get(one, one) for one in classifiers) or field.partition("\n")[0] or "unknown"


def is_permissive(expression: str) -> bool:
    """Whether each part of an SPDX expression is; of parts joined by OR, one is enough."""
    plain = re.sub(r" WITH [\w.-]+", "", expression)
    return all(any(choice.strip("() ") in PERMISSIVE for choice in part.split(" OR ")) for part in plain.split(" AND "))


def bundled_libraries(found: Distribution) -> list[str]:
    """Names of the shared libraries in a wheel, without `lib` and version; not the extension modules of Python."""
    names = {
        match[1]
        for file in found.files or []
        if (match := _LIBRARY.search(file.as_posix())) and not re.search(r"\.cpython-|\.abi3", file.name)
    }
    return sorted(names)


def copyleft_notices(found: Distribution) -> list[str]:
    """License files in a wheel that are the GPL, LGPL or AGPL, state it of a part, or permit non-commercial use only."""
    names = []
    for file in found.files or []:
        if not _NOTICE.search(file.as_posix()) or file.suffix in (".py", ".pyc", ".so", ".h", ".json"):
            continue
        path = Path(str(file.locate()))
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        if any(_TITLE.search(line) for line in text.splitlines()[:5]) or _STATEMENT.search(text):
            names.append(file.as_posix())
    return names


def inspect(name: str, version: str) -> Package:
    """Look up an installed package."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return Package(name, version, "unknown", faults=("is not installed: pip install -e .[all,dev,docs]",))
    license_, faults = declared_license(found), []
    if found.version.partition("+")[0] != version.partition("+")[0]:
        faults.append(f"version {found.version} is installed")
    if not is_permissive(license_):
        faults.append(f"license {license_!r}")
    known = {word for words in BUNDLED.values() for word in words.split()}
    linked = []
    for library in bundled_libraries(found):
        if library in LINKED:
            linked.append(library)
        elif library not in known and not library.startswith("openvino_"):
            faults.append(f"bundled library {library}")
    if normalized(name) not in NOTICES:
        faults += [f"license file {file}" for file in copyleft_notices(found)]
    return Package(name, version, license_, tuple(linked), tuple(faults))


def packages() -> list[Package]:
    """All packages of constraints.txt."""
    return [inspect(name, version) for name, version in pins().items()]


def page(found: list[Package]) -> str:
    """Write the result as Markdown."""
    counts = Counter(one.license for one in found).most_common()
    rows = "\n".join(
        f"| {license_} | {count} |" for license_, count in sorted(counts, key=lambda row: (-row[1], row[0]))
    )
    linked = "\n".join(
        f"| {one.name} | {', '.join(f'lib{library}: {LINKED[library]}' for library in one.linked)} |"
        for one in found
        if one.linked
    )
    notes = "\n".join(f"- `{name}`: {why}." for name, why in NOTICES.items())
    looked_up = "\n".join(f"- `{name}`: {license_}; {why}." for name, (license_, why) in PACKAGES.items())
    return f"""# Licenses of the dependencies

All {len(found)} packages of `constraints.txt`, which `pip install .[all,dev,docs]` brings: by their metadata, license files
and the shared libraries inside of their wheels for Linux. None is under the GPL without an exception for linking, the AGPL
or a license that forbids commercial use. Made by `python tools/licenses.py --table docs/reference/licenses.md`.

| license | packages |
|---|---|
{rows}

Shared libraries in wheels that are under the LGPL, or the GPL with the exception of GCC's runtime. They are linked
dynamically; whoever ships a wheel ships their license too.

| package | libraries |
|---|---|
{linked}

License files that name such a license, looked up:

{notes}

Packages whose metadata name no license, looked up:

{looked_up}
"""


def main() -> int:
    """Check, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, help="write the result there, as Markdown")
    given = parser.parse_args()
    found = packages()
    for one in found:
        for fault in one.faults:
            print(f"{one.name} {one.version}: {fault}")
    faulty = sum(bool(one.faults) for one in found)
    print(f"{len(found)} packages, {faulty} not permitted or not known")
    if given.table and not faulty:
        given.table.write_text(page(found), encoding="utf-8")
    return int(bool(faulty))


if __name__ == "__main__":
    sys.exit(main())
