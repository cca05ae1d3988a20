"""How far an estimated optical flow is from the true one."""

import numpy as np

from jssl.evaluation.subject import Encoder

__all__ = ["endpoint_error"]


def endpoint_error(subject: Encoder) -> dict[str, float]:
    """Mean distance in pixels between estimated and true flow over the pixels of the test split, and that of no flow at all.

    Args:
      subject: its readout ``flow`` gives ``tokens`` (B, H * W, 2), the flow between the two frames in the middle of each clip,
        in pixels to the right and down; its data have the true ``flow`` (T - 1, H, W, 2) of all neighbours.

    Returns:
      ``epe``, and ``epe_moving`` over the pixels whose true flow is not zero; ``epe_still`` and ``epe_still_moving`` are the same
      of a flow of zero. NaN where nothing moves.

    References: Baker et al. 2011, "A Database and Evaluation Methodology for Optical Flow", whose endpoint error this is.
    """
    totals, pixels = np.zeros((2, 2)), np.zeros(2)
    for part in subject.stream("test", "flow", fields=["flow"], tokens=True):
        middle = (part["flow"].shape[1] - 1) // 2
        truth = part["flow"][:, middle].reshape(part["features"].shape)
        length = np.linalg.norm(truth, axis=-1)
        for i, errors in enumerate((np.linalg.norm(part["features"] - truth, axis=-1), length)):
            totals[i] += errors.sum(dtype=np.float64), errors[length > 0].sum(dtype=np.float64)
        pixels += length.size, np.count_nonzero(length)
    with np.errstate(invalid="ignore"):
        means = totals / pixels
    names = ("epe", "epe_moving"), ("epe_still", "epe_still_moving")
    return {name: float(value) for row, values in zip(names, means) for name, value in zip(row, values)}
