"""Intervals over seeds and images, by hand, by another implementation and in a simulation."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from inpainting.metrics.columns import Column
from inpainting.reporting.captions import differences_note
from inpainting.reporting.cells import p_value
from inpainting.reporting.intervals import (
    Difference,
    crossed,
    difference,
    gap_to_base,
    seeds_to_decide,
)
from inpainting.reporting.rows import Row
from inpainting.reporting.verdict import verdict
from inpainting.runs.measured import Measured


def row(values: np.ndarray, name: str = "row", base: Row | None = None, seeds: bool = True) -> Row:
    """A row whose runs have these values of the metric `m`, (seeds, N)."""
    runs = [
        Measured(
            Path(f"{name}-seed{seed}"),
            row=name,
            seed=seed if seeds else None,
            completion_seed=0,
            compared_with=None,
            setting={},
            trained_in=Path(name) if seeds else None,
            details={"m": float(np.nanmean(one))},
            values={"m": np.asarray(one, dtype=float)},
            data="",
            mask="",
            measured_by={},
        )
        for seed, one in enumerate(np.atleast_2d(values))
    ]
    return Row(runs, name, base)


A = np.array([[14.0, 15, 19, 20], [14, 17, 19, 22]])
B = np.array([[10.0, 12, 14, 16], [12, 14, 16, 18]])


def test_an_interval_over_seeds_and_images_by_hand() -> None:
    # Means 17 and 18, and 13 and 15: the variances of the rows' means are 1/4 and 1. Differences of
    # the images, 3, 3, 4 and 4, have a variance of 1/3, their mean 1/12. A's residuals are all a
    # half, their mean square 8 / 4 / 3 = 2/3, and that of the mean 2/3 / 8 = 1/12; B has none.
    variance = 1 / 4 + 1 + 1 / 12 - 1 / 12
    freedom = variance**2 / (1 / 16 + 1 + (1 / 12) ** 2 / 3)
    gap = difference(row(A), row(B), "m")
    half = stats.t.ppf(0.975, freedom) * variance**0.5
    assert (gap.mean, gap.seeds) == (3.5, True)
    assert (gap.low, gap.high) == pytest.approx((3.5 - half, 3.5 + half))
    assert gap.p_value == pytest.approx(2 * stats.t.sf(3.5 / variance**0.5, freedom))
    assert gap.p_value > 0.05 and not gap.certain


def test_one_seed_covers_the_images_alone() -> None:
    gap = difference(row(A[:1]), row(B), "m")
    paired = stats.ttest_rel(A[0], B.mean(axis=0))
    assert not gap.seeds and gap.p_value == pytest.approx(paired.pvalue)
    assert (gap.low, gap.high) == pytest.approx(tuple(paired.confidence_interval(0.95)))


def test_a_method_without_training_has_no_seeds_that_vary() -> None:
    floor = row(B[:1], "telea", seeds=False)
    gap = difference(row(A), floor, "m")
    # Differences 4, 4, 5 and 5 of the images; of the seeds only A's, whose variance is 1/4.
    variance = 1 / 4 + 1 / 12 - 1 / 12
    half = stats.t.ppf(0.975, variance**2 / (1 / 16 + (1 / 12) ** 2 / 3)) * variance**0.5
    assert gap.seeds and (gap.low, gap.high) == pytest.approx((4.5 - half, 4.5 + half))
    assert not difference(floor, floor, "m").seeds


def test_images_without_the_number_are_left_out() -> None:
    holed = np.concatenate([A, [[np.nan], [1]]], axis=1), np.concatenate([B, [[9], [9]]], axis=1)
    with_nan, without = (difference(row(a), row(b), "m") for a, b in (holed, (A, B)))
    assert with_nan == without
    assert difference(row(A), row(B), "other") is None
    alone = difference(row(A[:, :1]), row(B[:, :1]), "m")
    assert alone.mean == 3 and np.isnan(alone.low) and not alone.certain


def test_more_comparisons_make_wider_intervals() -> None:
    base = row(B, "base")
    rows = [base, row(A, "a", base), row(A + 1, "b", base), row(A[:1], "c", base)]
    gap = gap_to_base(rows[1], rows, "m")
    single = difference(rows[1], base, "m")
    freedom = 1.25**2 / (1 / 16 + 1 + (1 / 12) ** 2 / 3)
    ratio = stats.t.ppf(1 - 0.025 / 3, freedom) / stats.t.ppf(0.975, freedom)
    assert gap.high - gap.mean == pytest.approx(ratio * (single.high - single.mean))
    assert gap.p_value == pytest.approx(3 * single.p_value)
    assert gap_to_base(base, rows, "m") is None
    note = differences_note(rows, ["m"])
    assert "corrected for 3 comparisons" in note and "those of c cover other images alone" in note


def test_what_never_varies_is_certain() -> None:
    assert difference(row(B[:1] + 1), row(B[:1]), "m") == Difference(1, 1, 1, 0, False)
    assert not difference(row(B[:1]), row(B[:1]), "m").certain


def test_against_a_mixed_model() -> None:
    """The standard error is that of a mixed model with random images and seeds, by statsmodels."""
    pandas = pytest.importorskip("pandas")
    mixed = pytest.importorskip("statsmodels.regression.mixed_linear_model")
    rng = np.random.default_rng(3)
    images = rng.normal(0, 3, 12)
    rows = [
        images + rng.normal(0, 2, 12) + rng.normal(0, 1, (4, 1)) + rng.normal(0, 1, (4, 12))
        for _ in range(2)
    ]
    values = np.array(rows)
    at = dict(zip(("row", "seed", "image"), np.indices(values.shape).reshape(3, -1), strict=True))
    table = pandas.DataFrame({**at, "m": values.ravel(), "all": 1})
    parts = {"image": "0 + C(image)", "cell": "0 + C(image):C(row)", "run": "0 + C(seed):C(row)"}
    model = mixed.MixedLM.from_formula("m ~ row", table, vc_formula=parts, groups="all")
    fitted = model.fit(method="lbfgs")
    mean, error, freedom = crossed(rows[1], rows[0])
    assert mean == pytest.approx(fitted.params["row"])
    assert error == pytest.approx(fitted.bse["row"], rel=0.001)
    assert 3 < freedom < 6 + 11  # between those of the worse seeds, and of all seeds and images


@pytest.mark.parametrize(("seeds", "deviation"), [(2, 0.5), (3, 0.1), (3, 0.5)])
def test_no_difference_is_found_in_noise(seeds: int, deviation: float) -> None:
    """The interval covers zero in 95 % of simulated tables, where one over images does not."""
    rng = np.random.default_rng(0)
    covered, over_images, number = 0, 0, 400
    for _ in range(number):
        images = rng.normal(0, 3, 100)
        a, b = (
            images
            + rng.normal(0, 1, 100)
            + rng.normal(0, deviation, (seeds, 1))
            + rng.normal(0, 1, (seeds, 100))
            for _ in range(2)
        )
        covered += not difference(row(a), row(b), "m").certain
        paired = stats.ttest_rel(a.mean(axis=0), b.mean(axis=0))
        over_images += paired.pvalue > 0.05
    assert covered / number >= 0.93
    if deviation == 0.5:
        assert over_images / number < 0.6


def test_no_p_value_is_zero() -> None:
    assert [p_value(p) for p in (0.0004, 0.0011, 0.5, np.nan)] == ["<0.001", "0.001", "0.500", ""]


COLUMN = Column(
    name="m",
    heading="PSNR hole",
    digits=1,
    direction="max",
    scope="hole",
    truth=None,
    brief=True,
    unit="dB",
)


def test_how_many_seeds_would_decide() -> None:
    base = row(B, "base")
    rows = [base, row(A, "a", base)]
    # With n seeds each the variance is that of the means, (1/2 + 2) / n, as the images' part is
    # their interaction alone, which falls as 1 / n too; Student's t has 1.47 (n - 1) degrees.
    decided = [stats.t.ppf(0.975, 1.4706 * (n - 1)) * (2.5 / n) ** 0.5 < 3.5 for n in range(2, 9)]
    assert seeds_to_decide(rows[1], rows, "m", 30) == 2 + decided.index(True)
    assert seeds_to_decide(row(B + 0.001, "b", base), rows, "m", 30) is None


def test_a_verdict_on_what_is_certain_and_what_is_open() -> None:
    base = row(B, "base")
    close = row(B + [[0.01], [0.02]], "close", base)
    steady = np.array([[30.0, 31, 32, 33.5], [30.1, 31, 32.1, 33.5]])
    still = row(np.array([[1.0, 2, 3, 4], [1, 2.1, 3, 4]]), "low", row(steady, "high"))
    first, best, left = verdict([base, close, still, still.base], [COLUMN])
    assert first == "For certain in PSNR hole worse than the base: low (−29.1 dB)."
    assert best == "Best is high with 31.6 dB, ahead of every other row for certain."
    assert left.endswith("so many seeds of each row would decide: close (more than 30).")


def test_a_verdict_of_one_seed_speaks_of_these_trainings_alone() -> None:
    base = row(B[:1], "base")
    rows = [base, row(A[:1], "a", base), row(B[:1] - 9, "b", base)]
    first, best, left = verdict(rows, [COLUMN])
    assert first == (
        "As trained here, with one seed, in PSNR hole better than the base: a (+4.0 dB); worse "
        "than the base: b (−9.0 dB)."
    )
    assert best == "Best is a with 17.0 dB, ahead of every other row, as trained here."
    assert left == "One seed says nothing about another training (every row): type seed=0,1,2."
    assert verdict(rows, []) == [] and verdict([base], [COLUMN]) == []
