"""The named data sets that can be imported."""

import importlib
import re
from difflib import get_close_matches
from typing import cast

from tmunet.datasets._build.import_plan import PlanFunction, SetFacts
from tmunet.errors import UsageError

_MODULES = {
    "CVC-ClinicDB": "cvc_clinicdb",
    "CVC-ColonDB": "cvc_colondb",
    "MoNuSeg": "monuseg",
    "UDIAT": "udiat",
    "BUSI": "busi",
    "DSB2018": "dsb2018",
    "Kvasir-SEG": "kvasir_seg",
    "ISIC2018": "isic2018",
    "GlaS": "glas",
    "nnunet": "nnunet_raw",
    "folders": "folders",
}


def list_sets() -> tuple[str, ...]:
    """Give the names that `tmunet import` takes; the last two are no data sets but ways to store any."""
    return tuple(_MODULES)


def find_name(name: str) -> str:
    """Give the name in its own spelling; capitals, hyphens and underscores do not matter.

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
    raise UsageError(f"There is no importer {name!r}{suggestion} There are: {', '.join(_MODULES)}.")


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name.casefold())


def get_importer(name: str) -> PlanFunction:
    """Give the importer of a set without options.

    Raises:
        UsageError: there is none of this name.
    """
    return cast(PlanFunction, importlib.import_module(f"tmunet.datasets.{_MODULES[find_name(name)]}").plan)


def get_facts(name: str) -> SetFacts:
    """Give what is known of a named set.

    Raises:
        UsageError: there is none of this name.
    """
    return cast(SetFacts, importlib.import_module(f"tmunet.datasets.{_MODULES[find_name(name)]}").FACTS)
