"""The loss of MC-JEPA, whose flow decoder is done by hand, too."""

import numpy as np
import small
from scipy.ndimage import map_coordinates
from small import SIDE, linear, mlp, standardize

from .case import by_hand, crops

STAGES = small.Stages()
FLOW = {"width": 3, "depth": 1, "reach": 1}
MOTION = {"photometric": 2.0, "smoothness": 3.0, "consistency": 0.5, "ssim_weight": 0.6, "edge": 4.0}


def read(image, y, x):
    """(B, h, w, C) at the places (B, H, W), bilinear; beyond the edge is the nearest pixel."""
    return np.stack(
        [
            np.stack(
                [map_coordinates(own[..., c], [rows, columns], order=1, mode="nearest") for c in range(own.shape[-1])],
                -1,
            )
            for own, rows, columns in zip(image, y, x)
        ]
    )


def moved(image, flow):
    """(read along the flow, where that is inside)."""
    _, height, width, _ = flow.shape
    y, x = np.arange(height)[:, None] + flow[..., 1], np.arange(width) + flow[..., 0]
    return read(image, y, x), (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def enlarged(flow, side):
    """To twice the side or so: places are those of the middles of pixels."""
    times = side / flow.shape[1]
    y, x = np.meshgrid(*[(np.arange(side) + 0.5) / times - 0.5] * 2, indexing="ij")
    return times * read(flow, *(np.broadcast_to(axis, (len(flow), side, side)) for axis in (y, x)))


def around(x):
    """(B, h, w, C) -> nine shifted maps, zero beyond the edge, in raster order."""
    height, width = x.shape[1:3]
    wide = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return [wide[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]


def conv(p, x):
    kernels = p["kernel"].reshape(9, *p["kernel"].shape[2:])
    return sum(part @ kernel for part, kernel in zip(around(x), kernels)) + p["bias"]


def flow_of(p, first, second):
    """From the coarse maps to the fine ones."""
    flow = None
    for level in (2, 1):
        name = f"level{level}"

        def entered(maps, level=level, name=name):
            x = standardize(linear(p[f"{name}_lateral"], maps[level - 1]), -1, 1e-6)
            return x * p[f"{name}_norm"]["scale"] + p[f"{name}_norm"]["bias"]

        a, b = entered(first), entered(second)
        if flow is not None:
            flow = enlarged(flow, a.shape[1])
            b, _ = moved(b, flow)
        alike = np.stack([(a * near).mean(-1) for near in around(b)], -1)
        x = conv(p[f"{name}_conv1"], np.concatenate([alike, a] + ([] if flow is None else [flow]), -1))
        lacks = np.tanh(conv(p[f"{name}_flow"], np.where(x > 0, x, 0.1 * x)))
        flow = lacks if flow is None else flow + lacks
    return enlarged(flow, SIDE)


def windows(x):
    """The 3 x 3 pixels around each but those of the edge, (B, 9, h - 2, w - 2, C)."""
    return np.stack([part[:, 1:-1, 1:-1] for part in around(x)], 1)


def over(values, weights):
    return np.mean([(v * w).sum() / w.sum() for v, w in zip(values, weights)])


def one_way(first, second, there, back):
    seen, inside = moved(second, there)
    assert (0.1 < inside.mean((1, 2))).all() and (inside.mean((1, 2)) < 1).all()
    x, y = windows(first), windows(seen)
    covariance = (x * y).mean(1) - x.mean(1) * y.mean(1)
    ssim = (2 * x.mean(1) * y.mean(1) + 1e-4) * (2 * covariance + 9e-4)
    ssim /= (x.mean(1) ** 2 + y.mean(1) ** 2 + 1e-4) * (x.var(1) + y.var(1) + 9e-4)
    whole = windows(inside[..., None].astype(float)).mean(1)[..., 0]
    photometric = 0.4 * over(abs(first - seen).mean(-1), inside) + 0.6 * over(((1 - ssim) / 2).mean(-1), whole)
    smoothness = 0.0
    for axis in (1, 2):
        edges = np.exp(-4.0 * abs(np.diff(first, axis=axis)).mean(-1))
        smoothness += (edges * abs(np.diff(there, axis=axis)).mean(-1)).mean() / 2
    consistency = over(abs(there + moved(back, there)[0]).mean(-1), inside)
    return 2.0 * photometric + 3.0 * smoothness + 0.5 * consistency


@by_hand(
    "mc_jepa",
    rtol=1e-4,
    encoder=STAGES,
    video=small.video(),
    flow=FLOW,
    motion=MOTION,
    projector=(5, 4),
    invariance=3.0,
    variance=5.0,
    covariance=2.0,
)
def mc_jepa(v, p, fixed, extra, raw):
    a, b = (mlp(p["projector"], STAGES(p["encoder"], x).pooled) for x in crops(v["views"]))

    def spread(z):
        c = np.cov(z.T)
        return np.maximum(0, 1 - np.sqrt(np.diag(c) + 1e-4)).mean(), (c[~np.eye(4, dtype=bool)] ** 2).sum() / 4

    (v_a, c_a), (v_b, c_b) = spread(a), spread(b)
    content = 3.0 * ((a - b) ** 2).mean() + 5.0 * (v_a + v_b) / 2 + 2.0 * (c_a + c_b)

    normalized = crops(v["video"])
    first, second = (STAGES(p["encoder"], x, pyramid=True).pyramid for x in normalized)
    there, back = flow_of(p["flow"], first, second), flow_of(p["flow"], second, first)
    first, second = (x * small.STD + small.MEAN for x in normalized)
    return content + (one_way(first, second, there, back) + one_way(second, first, back, there)) / 2
