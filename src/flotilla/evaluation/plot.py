"""The picture of what each setting finds over what it costs."""

from pathlib import Path

from flotilla.evaluation.measures import MAIN
from flotilla.evaluation.report import Report

INCHES = (8.0, 5.0)
DOTS_PER_INCH = 150

WIDE = 8.0
"""From this ratio of the slowest to the quickest on, the axis of time is logarithmic."""


def draw(report: Report, path: Path) -> None:
    """Write the plot as PNG: recall with its interval over the median latency, a line to the 95th
    percentile.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    measured = MAIN[report.kind]
    times: list[float] = []
    for place, each in enumerate(report.figures):
        found = each.estimates[measured]
        times += [each.client.p50, each.client.p95]
        axes.errorbar(
            each.client.p50,
            found.mean,
            xerr=[[0.0], [max(0.0, each.client.p95 - each.client.p50)]],
            yerr=[[found.mean - found.low], [found.high - found.mean]],
            fmt="osD^vPX*"[place % 8],
            color=f"C{place % 10}",
            markersize=8,
            capsize=3,
            elinewidth=1,
            label=each.name,
        )
    if max(times) > WIDE * max(min(times), 0.01):
        axes.set_xscale("log")
    else:
        axes.set_xlim(left=0)
    axes.set_xlabel("latency in ms: median, and line to the 95th percentile")
    axes.set_ylabel(f"{measured} with its 95% interval")
    axes.set_title(f"{report.data_set}: {report.questions} questions, {report.documents} documents")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="best", frameon=True, fontsize="small")
    figure.savefig(path, dpi=DOTS_PER_INCH, format="png")
