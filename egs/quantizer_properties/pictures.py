"""Pictures: codebooks on the move over 2-D data, use of codewords, gradients, mismatch, error against bits."""

import math
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from contenders import CONTENDERS, EVERYONE, NO_REPLACEMENT, OUTSIDERS
from matplotlib.axes import Axes
from matplotlib.figure import Figure

CODES, STEPS, BATCH, LR = 32, 1500, 512, 0.01
SHOWN = (0, 50, 150, 500, 1500)
COLOURS = dict(
    zip(
        EVERYONE,
        "#7f7f7f #4c9f70 #a6761d #c77cba #d1495b #1f5fa8 #f08a24 #f3c178 #8fb8e0 #b5651d #222222".split(),
        strict=True,
    )
)


def plane(count: int, seed: int) -> torch.Tensor:
    """Points of an S-shaped band, [count, 2]."""
    generator = torch.Generator().manual_seed(seed)
    angle = (torch.rand(count, generator=generator) - 0.5) * 3 * torch.pi
    band = torch.stack([torch.sin(angle), torch.sign(angle) * (torch.cos(angle) - 1) / 1.2], dim=1)
    return band + 0.12 * torch.randn(count, 2, generator=generator)


def strip(name: str) -> list[dict[str, Any]]:
    """Codebook and use of codewords at the steps SHOWN, learning 2-D data from a start in one corner.

    No encoder, no replacement: only what the method itself does to its codewords. The loss is the squared error of z_q.
    """
    torch.manual_seed(0)
    quantizer = CONTENDERS[name].make(CODES, 2, replacement=NO_REPLACEMENT)
    data, start = plane(4096, seed=1), torch.tensor([-1.3, 1.6]) + 0.15 * torch.randn(CODES, 2)
    quantizer.init_from_data(data)
    with torch.no_grad():
        quantizer.codebook.copy_(start)
        if name == "EMA":
            quantizer.mean_sum.copy_(start)
        if name == "ST-GS":
            torch.nn.init.normal_(quantizer.project.weight, std=0.1)
            torch.nn.init.zeros_(quantizer.project.bias)
    parameters = list(quantizer.parameters())
    optimizer = torch.optim.Adam(parameters, lr=LR) if parameters else None
    shots = []
    for step in range(STEPS + 1):
        if step in SHOWN:
            quantizer.eval()
            counts = torch.bincount(quantizer.encode(data), minlength=CODES)
            error = (quantizer(data).z_q - data).square().sum(dim=1).mean().item()
            shots.append(
                {"step": step, "codebook": quantizer.codebook.tolist(), "counts": counts.tolist(), "error": error}
            )
            quantizer.train()
        batch = data[torch.randint(len(data), (BATCH,))]
        out = quantizer(batch)
        loss = (out.z_q - batch).square().sum(dim=1).mean() + out.loss
        if optimizer is not None:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        quantizer.maintain(step + 1, optimizer)
    return shots


def draw(measured: dict[str, Any], folder: Path) -> None:
    """Write all pictures as PNG into `folder`."""
    for name, figure in {
        "codebooks": draw_strips(measured["strips"]),
        "usage": draw_usage(measured),
        "cosine": draw_cosine(measured),
        "mismatch": draw_mismatch(measured),
        "rate": draw_rate(measured),
    }.items():
        figure.savefig(folder / f"{name}.png", dpi=80)


def draw_strips(snapshots: dict[str, list[dict[str, Any]]]) -> Figure:
    """One row a method, one column a step."""
    figure = Figure(figsize=(2.3 * len(SHOWN), 2.05 * len(snapshots)), layout="constrained")
    axes = figure.subplots(len(snapshots), len(SHOWN), squeeze=False)
    data = plane(1500, seed=1)
    for row, (name, shots) in zip(axes, snapshots.items(), strict=True):
        for panel, shot in zip(row, shots, strict=True):
            codebook, counts = torch.tensor(shot["codebook"]), torch.tensor(shot["counts"])
            panel.scatter(*data.T, s=1, color="#d8d8d8", linewidths=0, rasterized=True)
            if name.startswith("SF"):
                panel.plot(*codebook.T, color=COLOURS[name], linewidth=0.9)
            panel.scatter(*codebook[counts == 0].T, s=14, facecolors="none", edgecolors="#333333", linewidths=0.7)
            panel.scatter(*codebook[counts > 0].T, s=14, color=COLOURS[name], edgecolors="#333333", linewidths=0.4)
            panel.set(xlim=(-2.2, 2.2), ylim=(-2.4, 2.4), xticks=[], yticks=[], aspect="equal")
            used = int((counts > 0).sum())
            panel.set_title(f"step {shot['step']}: {used}/{CODES} used, mse {shot['error']:.3f}", fontsize=7)
        row[0].set_ylabel(name, fontsize=9)
    figure.suptitle(
        "32 codewords learn 2-D data from a start in one corner, without replacement (hollow: unused)", fontsize=10
    )
    return figure


def draw_usage(measured: dict[str, Any]) -> Figure:
    """Share of codewords in use and effective bits, on held-out latents, for three ways to train."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    cases = {"default": ("rate", "64"), "hot": ("hot", "hot"), "far start": ("far", "far")}
    for panel, metric, title in (
        (left, "usage", "codewords used on held-out frames, share"),
        (right, "evenness", "effective bits / log2(codewords)"),
    ):
        values = {
            name: [
                [_evenness(r) if metric == "evenness" else r[metric] for r in _rows(measured, *case, name)]
                for case in cases.values()
            ]
            for name in CONTENDERS
        }
        _bars(panel, list(cases), values)
        panel.set_title(title, fontsize=9)
        panel.set_ylim(0, 1.02)
    figure.legend(*left.get_legend_handles_labels(), fontsize=7, ncols=8, loc="outside lower center")
    return figure


def draw_cosine(measured: dict[str, Any]) -> Figure:
    """Cosine and length of the codebook's mean gradient against the exact one of the deployed quantizer."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    cases = ("random decoder", "identity decoder")
    for panel, key in ((left, "cosine"), (right, "norm ratio")):
        values = {
            name: [
                [
                    p[f"{key}, {case}"]
                    for p in measured["probes"]
                    if p["name"] == name and p[f"{key}, {case}"] is not None
                ]
                for case in cases
            ]
            for name in CONTENDERS
        }
        _bars(panel, list(cases), values)
        panel.axhline(1, color="black", linewidth=0.7)
        panel.set_title(f"{key} of mean codebook gradient to the exact one (EMA has none)", fontsize=9)
    figure.legend(*left.get_legend_handles_labels(), fontsize=7, ncols=8, loc="outside lower center")
    return figure


def draw_mismatch(measured: dict[str, Any]) -> Figure:
    """Distance of training's output from the deployed one, and from the alphabet."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    floor = 1e-6
    for panel, key, title in (
        (left, "mismatch", "E|z_q train - z_q deployed|² / E|z - z_q deployed|²"),
        (right, "off the mapping", "mean distance of z_q train to codewords or curve / |error|"),
    ):
        values = {name: [[max(p[key], floor) for p in measured["probes"] if p["name"] == name]] for name in CONTENDERS}
        _bars(panel, [""], values)
        panel.set(yscale="log", ylim=(floor, 5))
        panel.set_title(f"{title} (floor {floor:g})", fontsize=8)
    figure.legend(*left.get_legend_handles_labels(), fontsize=7, ncols=8, loc="outside lower center")
    return figure


def draw_rate(measured: dict[str, Any]) -> Figure:
    """Held-out error against transmitted bits a frame."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in EVERYONE:
        by_bits: dict[float, list[float]] = {}
        for training in measured["trainings"]:
            if training["kind"] == "rate" and training["name"] == name:
                by_bits.setdefault(training["bits"], []).append(training["error_db"])
        errors = dict(sorted(by_bits.items()))
        _curve(left, errors, name, name, linestyle=":" if name in OUTSIDERS else "-")
        if name == "DiVeQ":
            _curve(right, errors, name, "DiVeQ, more codewords")
    grids = [math.log2(63 * 2**n + 1) for n in range(4)]
    for name in CONTENDERS:
        if name.startswith("SF"):
            models = [r["error_db_by_sf_bits"] for r in _rows(measured, "rate", "64", name)]
            errors = dict(zip(grids, map(list, zip(*models, strict=True)), strict=True))
            _curve(right, errors, name, f"{name}, one model, sf_bits 0 to 3")
    errors = {grids[n]: [r["error_db"] for r in _rows(measured, "snapped", str(n), "SF-DiVeQ")] for n in range(4)}
    _curve(right, errors, "SF-DiVeQ", "SF-DiVeQ, trained for its grid from half-way", linestyle="--", marker="s")
    for panel, title in (
        (left, "equal transmitted bits"),
        (right, "SF-DiVeQ's extra bits and DiVeQ with as many more"),
    ):
        panel.set(xlabel="bits a frame", ylabel="held-out error, dB below variance")
        panel.set_title(title, fontsize=9)
        panel.grid(alpha=0.3)
        panel.legend(fontsize=6)
    return figure


def _curve(panel: Axes, errors: dict[float, list[float]], name: str, label: str, **style: str) -> None:
    """Mean and standard deviation over seeds: errors[bits] = figures of the seeds."""
    look = {
        "color": COLOURS[name],
        "marker": "o",
        "markersize": 3,
        "capsize": 2,
        "linewidth": 1,
        "label": label,
        **style,
    }
    panel.errorbar(list(errors), [mean(e) for e in errors.values()], [stdev(e) for e in errors.values()], **look)


def _rows(measured: dict[str, Any], kind: str, label: str, name: str) -> list[dict[str, Any]]:
    return [r for r in measured["trainings"] if (r["kind"], r["label"], r["name"]) == (kind, label, name)]


def _evenness(row: dict[str, Any]) -> float:
    return float(row["effective_bits"] / row["bits"])


def _bars(panel: Axes, groups: list[str], values: dict[str, list[list[float]]]) -> None:
    """Grouped bars with the range over seeds: values[name][group] = figures of the seeds."""
    width = 0.85 / len(values)
    for index, (name, by_group) in enumerate(values.items()):
        for place, figures in enumerate(by_group):
            if figures:
                x = place + (index - (len(values) - 1) / 2) * width
                label = name if place == 0 else None
                panel.bar(x, mean(figures), width * 0.92, color=COLOURS[name], label=label)
                panel.vlines(x, min(figures), max(figures), color="black", linewidth=0.8)
    panel.set_xticks(range(len(groups)), groups, fontsize=8)
    panel.tick_params(axis="y", labelsize=7)
