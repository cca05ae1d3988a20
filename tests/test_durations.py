"""Lengths in any unit: what is understood, what it comes to in steps, and what a wrong one is told."""

import re

import pytest

from jssl.durations import Duration, parse, resolve


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        (0, 0, "steps"),
        (100, 100, "steps"),
        ("100", 100, "steps"),
        ("100 steps", 100, "steps"),
        ("1 step", 1, "steps"),
        ("1,000,000 steps", 1_000_000, "steps"),
        ("1e6 steps", 1_000_000, "steps"),
        ("10 epochs", 10.0, "epochs"),
        ("10epochs", 10.0, "epochs"),
        (" 1 epoch ", 1.0, "epochs"),
        ("0.5 epochs", 0.5, "epochs"),
        (".5 Epochs", 0.5, "epochs"),
        ("5000 examples", 5000.0, "examples"),
        ("12,000 examples", 12000.0, "examples"),
        ("1.28e6 examples", 1_280_000.0, "examples"),
        ("5%", 5.0, "%"),
        ("5 %", 5.0, "%"),
        ("0 %", 0.0, "%"),
    ],
)
def test_what_is_understood(text, value, unit):
    duration = parse(text)
    assert duration == Duration(value, unit)
    assert isinstance(duration.value, int if unit == "steps" else float)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (-1, "it must not be negative"),
        ("-3 epochs", "it must not be negative"),
        ("3 weeks", "no unit 'weeks'"),
        ("3 s", "no unit 's'"),
        ("1.5", "only whole numbers go without a unit"),
        (1.5, "only whole numbers go without a unit"),
        (100.0, "only whole numbers go without a unit"),
        ("1.5 steps", "steps are whole"),
        ("", "not a length"),
        ("epochs", "not a length"),
        ("1,5 epochs", "not a length"),  # a decimal comma
        ("12,00 examples", "not a length"),
        ("1 2 epochs", "not a length"),
        ("nan epochs", "not a length"),
        ("inf epochs", "not a length"),
        ("5 % of it", "not a length"),
        (True, "not a length"),
        (None, "not a length"),
    ],
)
def test_what_is_not_a_length_is_told_in_one_line(text, reason):
    told = f"duration {text!r}: {reason}; give a number of steps, or a number and one of steps, epochs, examples, %"
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (0, 0),
        (7, 7),
        ("10 epochs", 1953),  # 1953.1: an epoch need not end with a batch
        ("1 epoch", 195),  # 195.3
        ("0.01 epochs", 2),  # 1.95
        ("0.0001 epochs", 1),
        ("0 epochs", 0),
        ("12,800 examples", 50),
        ("12,928 examples", 51),  # 50.5: halves go up
        ("1 example", 1),
        ("0 examples", 0),
        ("5 %", 98),  # 97.65
        ("100 %", 1953),
        ("0.001 %", 1),
        ("0 %", 0),
    ],
)
def test_steps(text, steps):
    found = resolve(parse(text), batch_size=256, num_examples=50_000, total=1953)
    assert found == steps and type(found) is int


def test_epochs_follow_the_batch_size_and_steps_do_not():
    def steps(text, batch_size):
        return resolve(parse(text), batch_size=batch_size, num_examples=1024)

    assert [steps("2 epochs", size) for size in (64, 128, 256)] == [32, 16, 8]
    assert [steps("2 steps", size) for size in (64, 128, 256)] == [2, 2, 2]


def test_the_run_itself_cannot_be_a_share_of_the_run():
    with pytest.raises(ValueError, match="^duration '5 %': the length of the run itself cannot be a share of it; give"):
        resolve(parse("5 %"), batch_size=256, num_examples=50_000)


@pytest.mark.parametrize("counts", [{"batch_size": 0, "num_examples": 10}, {"batch_size": 4, "num_examples": 0}])
def test_nothing_to_count_with(counts):
    (name,) = [name for name, count in counts.items() if count == 0]
    with pytest.raises(ValueError, match=f"^duration '1 epochs': {name}=0 must be at least 1$"):
        resolve(parse("1 epoch"), **counts)
