"""How much of the machine's arithmetic a network reaches."""

from tmunet_lab.bench.bench_table import measurement_table
from tmunet_lab.bench.measure import MeasurePlan, measure
from tmunet_lab.bench.model_spec import parse_model_specs
from tmunet_lab.bench.utilization import SIDES, compute_utilization
from tmunet_lab.bench.workload import Conditions


def test_every_prediction_says_its_share_and_no_training_does() -> None:
    plan = MeasurePlan(sizes=(64,), batches=(1, 2), rounds=2, warm_up=0, reference="mkunet_t")
    rows = measure(parse_model_specs(["mkunet_t"]), plan, Conditions(), None)
    assert all(row.utilization is not None and 0 < row.utilization < 1 for row in rows)
    assert f"{rows[0].utilization:.0%}" in measurement_table(rows, "mkunet_t")
    (trained,) = measure(
        parse_model_specs(["mkunet_t"]), MeasurePlan((64,), (2,), 1, 0, "mkunet_t"), Conditions(training=True), None
    )
    assert trained.utilization is None


def test_the_share_is_of_the_rounds_that_both_took_part_in() -> None:
    assert compute_utilization(SIDES["cpu"] ** 3, [2.0, 4.0, 1.0], [1.0, 2.0, 1.0, 9.0], "cpu") == 0.5
