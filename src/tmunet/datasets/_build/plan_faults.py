"""What can be wrong with a plan before any file of it is read."""

from collections import Counter

from tmunet.datasets._build.member_names import fold, name_fault
from tmunet.datasets._build.import_plan import Plan
from tmunet.datasets._build.source import Source


def plan_faults(plan: Plan, source: Source) -> list[str]:
    """List every fault of a plan: no cases, unfit names, names that clash, files that are not there, a split of other cases."""
    if not plan.cases:
        return [f"no cases were found; expected {plan.facts.name} as it is distributed: {plan.facts.layout}."]
    names = [case.name for case in plan.cases]
    faults = [f"{name!r} cannot name files: it {fault}; rename the files." for name in names if (fault := _fault(name))]
    alike = Counter(fold(name) for name in names)
    faults += [
        f"the case {name!r} has a name that another one has too on some systems; rename its files."
        for name in names
        if alike[fold(name)] > 1
    ]
    faults += [
        f"the case {case.name!r} needs {key}, which is not among the files."
        for case in plan.cases
        for key in (case.image, *case.masks)
        if key not in source.files
    ]
    known = frozenset(names)
    official = Counter(name for side in plan.official.values() for name in side)
    faults += [
        f"the official split has the case {name!r}{' more than once' if name in known else ', which is not there'}."
        for name, count in official.items()
        if count > 1 or name not in known
    ]
    return faults


def _fault(name: str) -> str | None:
    if fault := name_fault(name):
        return fault
    return "is hidden, or has a slash" if name.startswith(".") or "/" in name else None
