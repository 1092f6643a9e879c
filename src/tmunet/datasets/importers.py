"""Registry of importers by data set name.

To add one: a file in this folder with ``FACTS`` and ``plan`` (`udiat.py` is the shortest; the contract is in
`_build/import_plan.py`) and a line below.
"""

import importlib
import re
from difflib import get_close_matches
from typing import cast

from tmunet.datasets._build.import_plan import DatasetFacts, Importer
from tmunet.errors import UsageError

# a name that `tmunet import` takes, and its module here (with what it calls plan and facts, if several sets share it); the last
# two are formats for any data
_MODULES = {
    "CVC-ClinicDB": "cvc_clinicdb",
    "CVC-ColonDB": "cvc_colondb",
    "MoNuSeg": "monuseg",
    "UDIAT": "udiat",
    "BUSI": "busi",
    "DSB2018": "dsb2018",
    "Kvasir-SEG": "kvasir_seg",
    "ISIC2016": "isic2016",
    "ISIC2017": "isic2017",
    "ISIC2018": "isic2018",
    "GlaS": "glas",
    "DRIVE": "retina:plan_drive:DRIVE",
    "CHASE_DB1": "retina:plan_chase:CHASE_DB1",
    "STARE": "retina:plan_stare:STARE",
    "REFUGE": "refuge",
    "nnunet": "nnunet_raw",
    "folders": "folders",
}


RECOGNIZED = ("GlaS", "MoNuSeg", "ISIC2018", "BUSI", "DRIVE", "CHASE_DB1", "STARE", "REFUGE")
"""Data sets whose file names are their own, so that they are known by them."""


def list_sets() -> tuple[str, ...]:
    """List the names that `tmunet import` takes; the last two are formats for any data."""
    return tuple(_MODULES)


def find_name(name: str) -> str:
    """Resolve a name to its canonical spelling; case, hyphens and underscores are ignored.

    Raises:
        UsageError: there is no such importer; the nearest is suggested.

    >>> find_name("cvc_clinicdb")
    'CVC-ClinicDB'
    """
    plain = {_plain(known): known for known in _MODULES}
    if _plain(name) in plain:
        return plain[_plain(name)]
    close = get_close_matches(_plain(name), plain, n=1)
    suggestion = f"; did you mean {plain[close[0]]}?" if close else "."
    raise UsageError(f"There is no importer {name!r}{suggestion} There are: {', '.join(_MODULES)}.", code="importer")


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name.casefold())


def get_importer(name: str) -> Importer:
    """Get the importer of a data set without options.

    Raises:
        UsageError: there is none of this name.
    """
    return cast(Importer, _part(name, 1))


def get_facts(name: str) -> DatasetFacts:
    """Get the facts of a data set.

    Raises:
        UsageError: there is none of this name.
    """
    return cast(DatasetFacts, _part(name, 2))


def _part(name: str, place: int) -> object:
    module, *names = _MODULES[find_name(name)].split(":")
    plan, facts = names or ("plan", "FACTS")
    return getattr(importlib.import_module(f"tmunet.datasets.{module}"), (module, plan, facts)[place])
