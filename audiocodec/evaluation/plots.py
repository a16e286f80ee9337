"""Pictures of a result, as PNG bytes: rate-distortion curves with intervals, and the spread over files."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..metrics.base import Metric
from .measure import Record
from .peers.pcm import Pcm
from .statistics import Summary
from .tables import heading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OWN_COLOURS = ("#c1121f", "#780096", "#e85d04")  # red, purple, orange: ours stand out
PEER_COLOURS = ("#0b6fa4", "#2a9d58", "#8a6d00", "#4b5563", "#00838f", "#7c4d3a", "#5661c4", "#94a3b8", "#b08ea2")
MARKERS = "osD^vPX<>*"
DPI = 144
Style = dict[str, object]


def styles(summaries: Sequence[Summary], own: set[str]) -> dict[str, Style]:
    """Colour, marker and width for each family, the same in every picture.

    Args:
        summaries: of all systems.
        own: families of our own codecs, drawn wider.
    Returns:
        family -> keyword arguments for a matplotlib line.
    """
    families = list(dict.fromkeys(summary.family for summary in summaries))
    chosen: dict[str, Style] = {}
    for group, colours, width in (
        ([f for f in families if f in own], OWN_COLOURS, 2.6),
        ([f for f in families if f not in own], PEER_COLOURS, 1.4),
    ):
        for index, family in enumerate(group):
            chosen[family] = {
                "color": colours[index % len(colours)],
                "marker": MARKERS[index % len(MARKERS)],
                "linewidth": width,
                "markersize": 3.5 + width,
                "zorder": 2 + width,
            }
    return chosen


def rate_distortion(summaries: Sequence[Summary], metric: Metric, own: set[str]) -> bytes:
    """Mean of a metric against measured bitrate, a curve for each family, bars for the 95 % intervals.

    Args:
        summaries: one a system; those without an answer are left out, and uncoded samples are.
        metric: the ordinate.
        own: families of our own codecs.
    Returns:
        PNG.
    """
    figure, axes = _canvas(6.4, 4.0)
    look = styles(summaries, own)
    summaries = [s for s in summaries if s.family != Pcm.family]  # a ceiling far to the right would squeeze the rest
    lows: list[float] = []
    highs: list[float] = []
    for family, style in look.items():
        points = [s for s in summaries if s.family == family and s.metrics[metric.name].n_answered]
        points.sort(key=lambda s: s.bitrate)
        if not points:
            continue
        found = [s.metrics[metric.name] for s in points]
        bars = [[f.mean - f.low for f in found], [f.high - f.mean for f in found]]
        rates = [s.bitrate / 1000 for s in points]
        means = [f.mean for f in found]
        lows, highs = [*lows, *(f.low for f in found)], [*highs, *(f.high for f in found)]
        axes.errorbar(rates, means, yerr=bars, label=family, capsize=2.5, elinewidth=1, **style)  # type: ignore[arg-type]
    _rate_axis(axes, [s.bitrate / 1000 for s in summaries])
    _value_axis(axes, lows, highs)
    axes.set_ylabel(heading(metric))
    if metric.better == "lower":
        axes.invert_yaxis()  # better is up in every picture
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return _png(figure)


def spread(records: Sequence[Record], summaries: Sequence[Summary], metric: Metric, own: set[str]) -> bytes:
    """Every file's score as a dot, a row a system, with the mean as a bar.

    Args:
        records: of all files and systems.
        summaries: one a system, drawn from top to bottom in order of bitrate.
        metric: the abscissa.
        own: families of our own codecs.
    Returns:
        PNG.
    """
    rows = sorted(summaries, key=lambda s: s.bitrate, reverse=True)
    figure, axes = _canvas(8.6, 0.9 + 0.3 * len(rows))
    look, jitter = styles(summaries, own), np.random.default_rng(0)
    for height, summary in enumerate(rows):
        scores = [r.scores.get(metric.id) for r in records if r.system == summary.system]
        values = [score for score in scores if score is not None]
        colour = look[summary.family]["color"]
        axes.scatter(values, height + jitter.uniform(-0.22, 0.22, len(values)), s=9, color=colour, alpha=0.45, lw=0)
        if values:
            axes.plot([np.mean(values)] * 2, [height - 0.36, height + 0.36], color=colour, lw=2.4)
    axes.set_yticks(range(len(rows)), [f"{s.system}, {s.bitrate / 1000:.1f} kbit/s" for s in rows], fontsize=8)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel(heading(metric))
    axes.grid(axis="y", visible=False)
    return _png(figure)


def _canvas(width: float, height: float) -> "tuple[Figure, Axes]":
    """A figure drawn without a display, whatever backend the process has chosen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _rate_axis(axes: "Axes", rates: Sequence[float]) -> None:
    """Logarithmic kbit/s with plain numbers."""
    from matplotlib.ticker import FixedLocator, NullLocator

    ticks = [0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 9, 12, 16, 24, 32, 48, 64]
    finite = [rate for rate in rates if rate > 0]
    axes.set_xscale("log")
    if finite:
        low, high = min(finite) * 0.85, max(finite) * 1.13
        axes.set_xlim(low, high)
        axes.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("kbit/s, measured (logarithmic)")


def _value_axis(axes: "Axes", lows: Sequence[float], highs: Sequence[float]) -> None:
    """Limits by the quartiles, so that one codec far off (a vocoder's SI-SDR) does not flatten all the others.

    What lies beyond is cut off, and said at the picture's foot.
    """
    if not lows:
        return
    first, third = np.quantile([*lows, *highs], [0.25, 0.75])
    reach = 3 * (third - first) + 1e-9
    inside = [x for x in (*lows, *highs) if first - reach <= x <= third + reach]
    pad = 0.05 * (max(inside) - min(inside)) + 1e-9
    axes.set_ylim(min(inside) - pad, max(inside) + pad)
    n_outside = sum(high < min(inside) or low > max(inside) for low, high in zip(lows, highs, strict=True))
    if n_outside:
        points = "one point lies" if n_outside == 1 else f"{n_outside} points lie"
        axes.set_title(f"{points} outside the picture; see the table", fontsize=7, color="#5d6673", loc="right")


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()
