"""The golden asserts fail beyond their bounds and note how much of them was used; the parity report adds that up."""

import golden
import numpy as np
import pytest

TOLERANCE = {"loss_rtol": 0.1, "loss_atol": 1.0, "grad_max_rel": 0.1, "grad_atol": 0.0}
FILE = {**TOLERANCE, "objective": "nt", "case": "c0"}


@pytest.fixture(autouse=True)
def records():
    golden.take_records()
    yield golden.take_records
    golden.take_records()


def test_a_loss_notes_the_element_nearest_to_its_own_bound(records):
    golden.assert_loss([10.5, 101.0], [10.0, 100.0], FILE)  # bounds 2 and 11
    (record,) = records()
    assert record == {"objective": "nt", "case": "c0", "kind": "loss", "ratio": 0.25, "error": 0.5, "bound": 2.0}
    assert records() == []


def test_a_gradient_is_measured_by_its_largest_entry(records):
    golden.assert_grad([10.0, 0.25], [10.0, 0.0], FILE)
    (record,) = records()
    assert (record["kind"], record["ratio"], record["error"], record["bound"]) == ("grad", 0.25, 0.25, 1.0)


@pytest.mark.parametrize(("check", "bound"), [(golden.assert_loss, 2.0), (golden.assert_grad, 1.0)])
def test_a_failure_is_noted_too(check, bound, records):
    with pytest.raises(AssertionError):
        check([13.0], [10.0], FILE)
    assert records()[0]["ratio"] == pytest.approx(3.0 / bound)
    with pytest.raises(AssertionError):
        check([np.nan], [10.0], FILE)
    assert records()[0]["ratio"] == np.inf


def test_a_bound_of_zero_takes_no_error(records):
    golden.assert_grad([0.0], [0.0], FILE)
    assert records()[0]["ratio"] == 0.0
    with pytest.raises(AssertionError):
        golden.assert_grad([1e-9], [0.0], FILE)
    assert records()[0]["ratio"] == np.inf


def test_only_bounds_of_a_golden_file_are_noted(records):
    golden.assert_loss(1.0, 1.0, TOLERANCE)
    assert records() == []
    name = golden.cases("simclr_ntxent")[0]
    case = golden.load("simclr_ntxent", name)
    golden.assert_loss(case.out["loss"], case.out["loss"], {"grad_atol": 0.0, **case.tolerance})  # a copy knows it too
    assert [(r["objective"], r["case"]) for r in records()] == [("simclr_ntxent", name)]


def test_the_report_keeps_the_worst_of_each_file_and_counts_its_cases():
    def record(objective, case, kind, ratio):
        return {
            "objective": objective,
            "case": case,
            "kind": kind,
            "ratio": ratio,
            "error": ratio * 1e-5,
            "bound": 1e-5,
        }

    lines = golden.parity_report(
        [
            record("swav", "a", "loss", 0.5),
            record("dino", "a", "loss", 0.125),
            record("dino", "b", "loss", 0.25),
            record("dino", "a", "grad", 0.75),
            record("dino", "a", "loss", 0.0),
        ]
    )
    assert [line.split() for line in lines[1:]] == [
        ["dino", "2", "2.5e-06", "1.0e-05", "25.0%", "7.5e-06", "1.0e-05", "75.0%"],
        ["swav", "1", "5.0e-06", "1.0e-05", "50.0%", "-", "-", "-"],
    ]
    assert len({len(line) for line in lines}) == 1  # aligned
