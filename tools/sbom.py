"""Write the software bill of materials of the pinned packages: CycloneDX 1.6, as JSON.

    python tools/sbom.py [--out sbom.cdx.json]

The same packages give the same bytes: there is no date, and the serial number is the hash of the list.
"""

import argparse
import json
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

from licenses import PERMISSIVE, Package, normalized, packages

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
NOT_SPDX = "BSD"  # the number of clauses is not stated


def _licenses(expression: str) -> list[dict[str, Any]]:
    parts = expression.split()
    if len(parts) == 1 and expression in PERMISSIVE and expression != NOT_SPDX:
        return [{"license": {"id": expression}}]
    if len(parts) == 1 or NOT_SPDX in parts:
        return [{"license": {"name": expression}}]
    return [{"expression": expression}]


def component(package: Package) -> dict[str, Any]:
    """A package as CycloneDX component."""
    purl = f"pkg:pypi/{normalized(package.name)}@{package.version.replace('+', '%2B')}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
        "licenses": _licenses(package.license),
    }


def bill_of_materials(found: list[Package]) -> dict[str, Any]:
    """The whole document; the root component is this project."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    root = {
        "type": "application",
        "bom-ref": f"pkg:pypi/{project['name']}@{project['version']}",
        "name": project["name"],
        "version": project["version"],
        "purl": f"pkg:pypi/{project['name']}@{project['version']}",
        "licenses": _licenses(project["license"]),
    }
    components = sorted(map(component, found), key=lambda one: str(one["purl"]))
    content = json.dumps([root, components], sort_keys=True)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {"component": root},
        "components": components,
        "dependencies": [{"ref": root["bom-ref"], "dependsOn": [one["bom-ref"] for one in components]}],
    }


def main() -> None:
    """Write it to a file, or show it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="the file; without it, the standard output")
    given = parser.parse_args()
    text = json.dumps(bill_of_materials(packages()), indent=2) + "\n"
    if given.out:
        given.out.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
