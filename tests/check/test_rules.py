"""Every seeded defect is found in the right file, and nothing else is."""

import sys
import warnings
from pathlib import Path

import pytest

from tmunet.check.findings import CheckReport
from tmunet.check.rules import RULES
from tmunet.check.run import check_dataset
from tmunet.data.dataset import open_dataset, verify
from tmunet.errors import InputError, TMUNetWarning

from . import corpus_files, corpus_sets
from .corpus import Defect, Expected, Folder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seeds names that other systems cannot hold")

TRAINING_TAKES = {  # faults that are met later, by `tmunet import`, or by a warning
    "other_channels",
    "class_absent_from_train",
}


def found(report: CheckReport) -> Expected:
    return frozenset((finding.kind, file) for finding in report.findings for file in finding.files or ("",))


def test_a_sound_data_set_has_no_findings(folder: Folder) -> None:
    report = check_dataset(folder.path)
    assert (report.findings, report.files, len(report.cases)) == ((), 8, 4)


@pytest.mark.parametrize("defect", corpus_files.DEFECTS + corpus_sets.DEFECTS, ids=lambda defect: defect.name)
def test_a_defect_is_found_alone(folder: Folder, defect: Defect) -> None:
    defect.seed(folder)
    report = check_dataset(folder.path)
    assert found(report) == defect.expected
    assert all(finding.message.endswith((".", "?")) and finding.hint.endswith(".") for finding in report.findings)
    assert bool(report.count("fault")) == is_refused(folder.path) or defect.name in TRAINING_TAKES


def is_refused(path: Path) -> bool:
    """Whether training would refuse the data set."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TMUNetWarning)  # of what is passed over
            verify(open_dataset(path))
    except InputError:
        return True
    return False


def test_every_kind_of_the_table_has_a_seeded_defect() -> None:
    seeded = {kind for defect in corpus_files.DEFECTS + corpus_sets.DEFECTS for kind, _ in defect.expected}
    assert seeded - RULES.keys() == set()
    assert RULES.keys() - seeded == set()


def test_all_defects_of_files_are_found_together(folder: Folder) -> None:
    for defect in corpus_files.DEFECTS:
        defect.seed(folder)
    expected = frozenset[tuple[str, str]]().union(*(defect.expected for defect in corpus_files.DEFECTS))
    assert len(expected) >= 40
    assert found(check_dataset(folder.path)) == expected
