"""How much of the machine's arithmetic a network reaches."""

from tmunet.bench.candidate import parse_candidates
from tmunet.bench.inference import Conditions
from tmunet.bench.measure import Plan, measure
from tmunet.bench.peak import SIDES, peak_share
from tmunet.bench.table import measurement_table


def test_every_prediction_says_its_share_and_no_training_does() -> None:
    plan = Plan(sizes=(64,), batches=(1, 2), rounds=2, warm_up=0, reference="tmunet_t")
    rows = measure(parse_candidates(["tmunet_t", "ulite"]), plan, Conditions(), None)
    assert all(row.peak_share is not None and 0 < row.peak_share < 1 for row in rows)
    assert f"{rows[0].peak_share:.0%}" in measurement_table(rows, "tmunet_t")
    (trained,) = measure(
        parse_candidates(["tmunet_t"]), Plan((64,), (2,), 1, 0, "tmunet_t"), Conditions(training=True), None
    )
    assert trained.peak_share is None


def test_the_share_is_of_the_rounds_that_both_took_part_in() -> None:
    assert peak_share(SIDES["cpu"] ** 3, [2.0, 4.0, 1.0], [1.0, 2.0, 1.0, 9.0], "cpu") == 0.5
