"""The training loop: what happens in which order, on one process or many."""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from ..config.loader import dump
from ..config.training import TrainConfig
from ..data.dataset import Batch
from ..data.prefetch import Prefetcher
from ..data.sampler import RowSampler
from ..data.seeding import Stream, generator, torch_seed
from ..errors import CodecError
from . import checkpoints
from .checkpoints import Checkpoints
from .export import export_state
from .inputs import BadFiles, open_dataset, open_validation
from .schedule import lr_factor
from .signals import StopRequest, exit_code
from .start import find_checkpoint, forget_replaced, start_codebooks, start_from
from .state import build_state
from .steps import StepResult, TrainStep
from .telemetry import Display, MetricsFile
from .trackers import Trackers
from .usage import CodebookUsage
from .validation import HIGHER_IS_BETTER, merge

_SAVE_FAILURES = 3  # in a row, after which a run that cannot be saved is not worth going on


class Trainer:
    """One run: `Trainer(config, accelerator, resume).run()` gives the exit code.

    Args:
        config: the whole experiment.
        accelerator: device, precision and processes.
        resume: "" starts anew, "auto" goes on from the newest whole checkpoint where there is one, else a checkpoint.
    Raises:
        CodecError: data, checkpoint or configuration are unusable.
    """

    def __init__(self, config: TrainConfig, accelerator: Accelerator, resume: str = ""):
        self.config, self.accelerator, self.main = config, accelerator, accelerator.is_main_process
        run, self.folder = config.run, Path(config.run.dir)
        self.sampler = RowSampler(
            config.data.batch_size, accelerator.num_processes, accelerator.process_index, run.accumulate
        )
        self.checkpoints = Checkpoints(self.folder / "checkpoints", run.keep_last)
        resumed = find_checkpoint(config, self.checkpoints, resume, self.say)
        self.dataset = open_dataset(config, accelerator, self.say)
        self.validator = open_validation(config, accelerator)
        self.bad = BadFiles(self.folder / "bad_files.txt", config.data.max_bad_share)
        self.state = build_state(config, accelerator.device)
        inherited = 0  # stages of the quantizer that need no start of their own
        if resumed is not None:
            checkpoints.load(resumed, self.state)
            self.say(f"resumed from {resumed}, step {self.state.step}")
        elif run.init_from:
            inherited = start_from(config, self.state, self.say)
        if run.compile:
            self.state.codec.encoder.compile()
            self.state.codec.decoder.compile()
        self.train_step = TrainStep(config, self.state, accelerator)
        self.usage = CodebookUsage(config.model.quantizer.n_q, self.state.codec.codebook_size, accelerator.device)
        self._save_failures = self._skipped_in_a_row = 0
        if resumed is None:
            start_codebooks(config, self.state, self.dataset, self.sampler, accelerator, inherited)
        self._open_logs()

    def run(self) -> int:
        """Train to the end or until told to stop.

        Returns:
            0, or 130 or 143 after a signal: then the last step done is in a checkpoint.
        Raises:
            CodecError: the run cannot go on.
        """
        stop, data = StopRequest(), self.config.data
        prefetcher = Prefetcher(self._load, self.state.step, self.config.run.max_steps, data.workers, data.prefetch)
        self.state.codec.train()
        try:
            began = time.perf_counter()
            for batch in prefetcher:
                arrived = time.perf_counter()
                row = self._step(batch)
                row["data_s"] = round(arrived - began, 5)
                row["step_s"] = round(time.perf_counter() - began, 5)
                row["audio_per_s"] = round(data.batch_size * self.config.segment_s / row["step_s"], 2)
                received = self._agree(stop.poll())
                self._report(row, last=bool(received))
                if received:
                    self.say(f"signal {received}: stopped after step {self.state.step}; go on with --resume auto")
                    return exit_code(received)
                began = time.perf_counter()
        finally:
            stop.close()
            prefetcher.close()
            self.display.close()
            self.accelerator.end_training()
        if self.main:
            export_state(self.state, self.folder / "model")
            self.say(f"averaged weights of step {self.state.step} in {self.folder / 'model'}")
        return 0

    def say(self, message: str) -> None:
        """Tell the user something, once for all processes."""
        if not self.main:
            return
        if hasattr(self, "display"):
            self.display.say(message)
        else:
            print(message, file=sys.stderr, flush=True)

    # -- one step ------------------------------------------------------------------------------------------------------

    def _load(self, step: int) -> Batch:
        return self.dataset.batch(step, self.sampler.rows)

    def _step(self, batch: Batch) -> dict[str, Any]:
        """Train on one batch; the row of numbers that metrics.jsonl gets."""
        self.bad.add(batch)
        state, config, size = self.state, self.config, self.sampler.micro_batch_size
        wavs = list(torch.from_numpy(batch.wav).to(self.accelerator.device).split(size))
        pieces = [self.sampler.rows[i : i + size] for i in range(0, len(self.sampler.rows), size)]
        seeds = [torch_seed(config.run.seed, Stream.STEP, state.step, rows[0]) for rows in pieces]
        kept = [self._kept_codebooks(rows) for rows in pieces]
        factor = lr_factor(config.optim, state.step, config.run.max_steps)
        result = self.train_step(wavs, kept, seeds, factor)
        row: dict[str, Any] = {"step": state.step + 1, **result.values}
        row["lr"] = state.optimizer.param_groups[0]["full_lr"] * factor
        if result.finite:
            row |= self._settle(result)
        else:
            self._skip(batch)
            row["skipped"] = True
        state.step += 1
        return row

    def _settle(self, result: StepResult) -> dict[str, Any]:
        """What follows a step that changed the weights: averages, care of codebooks, counts."""
        state = self.state
        self._skipped_in_a_row = 0
        state.ema.update(state.step)
        log: dict[str, Any] = {}
        if "quantizer" not in self.config.run.freeze:
            log = state.codec.quantizer.maintain(state.step + 1, state.optimizer, self.config.run.max_steps)
            forget_replaced(state, log)
        if state.codec.quantizer.reservoir is None:
            for codes, n_q in zip(result.codes, result.n_q, strict=True):
                self.usage.add(codes, n_q)
        return {name: value for name, value in log.items() if name in ("replaced", "initialised")}

    def _skip(self, batch: Batch) -> None:
        """Count a step without effect; after too many in a row save what is needed to find out why, and stop."""
        self.state.skipped += 1
        self._skipped_in_a_row += 1
        step, limit = self.state.step + 1, self.config.run.nan_limit
        self.say(f"step {step}: loss or gradient is not finite; skipped ({self._skipped_in_a_row} of {limit} in a row)")
        if self._skipped_in_a_row >= limit:
            replay = self.folder / f"not-finite-step-{step}-process-{self.accelerator.process_index}.npy"
            np.save(replay, batch.wav)
            self._save()
            raise CodecError(
                f"{limit} steps in a row without a finite loss: stopped at step {step}. The weights are those "
                f"before these steps, saved in {self.checkpoints.folder}; the last batch is in {replay.name}. "
                "Lower optim.lr, or look at the data."
            )

    def _kept_codebooks(self, rows: range) -> Tensor | None:
        """[B] codebooks that each row keeps: all, or for a share of rows a random prefix."""
        quantizer = self.config.model.quantizer
        if quantizer.dropout == 0:
            return None
        kept = []
        for row in rows:
            rng = generator(self.config.run.seed, Stream.DROPOUT, self.state.step, row)
            drop = rng.random() < quantizer.dropout
            kept.append(int(rng.integers(1, quantizer.n_q + 1)) if drop else quantizer.n_q)
        return torch.tensor(kept, device=self.accelerator.device)

    # -- between steps -------------------------------------------------------------------------------------------------

    def _report(self, row: dict[str, Any], last: bool) -> None:
        """Validate, log and save, where it is time."""
        run, step = self.config.run, self.state.step
        final = step == run.max_steps
        due = final or step % run.checkpoint_every == 0 or last
        best = False
        if self.validator is not None and (final or step % run.validate_every == 0):
            row["valid"] = self._validate()
            best = self._is_best(row["valid"])
        if step % run.log_every == 0 or "valid" in row:
            row["codebooks"] = self.usage.report(self.accelerator.reduce(self.usage.counts, "sum"))
            self.trackers.scalars(row, step)
        if self.main:
            self.metrics.write(row)
        self.display.step(row)
        if (due or best) and self._save() and best and self.main:
            self.checkpoints.mark_best(step, self.state.counters["best"])

    def _validate(self) -> dict[str, float]:
        assert self.validator is not None
        totals, sounds = self.validator(
            self.state, self.accelerator.device, self.config.run.samples if self.main else 0
        )
        for name, wav in sounds.items():
            self.trackers.sound(name, wav, self.state.step)
        return merge(totals, self.accelerator)

    def _is_best(self, figures: dict[str, float]) -> bool:
        name = self.config.run.best
        figure = figures.get(name)
        if figure is None:
            return False
        best = self.state.counters.get("best")
        better = best is None or (figure > best if name in HIGHER_IS_BETTER else figure < best)
        if better:
            self.state.counters["best"] = figure
        return better

    def _save(self) -> bool:
        """Write a checkpoint; a full disk is a warning until it has happened too often."""
        if not self.main:
            return True
        try:
            self.checkpoints.save(self.state, self.config)
        except OSError as error:
            self._save_failures += 1
            self.say(f"step {self.state.step}: checkpoint not written: {error}; older ones are kept, training goes on")
            if self._save_failures >= _SAVE_FAILURES:
                raise CodecError(f"{_SAVE_FAILURES} checkpoints in a row could not be written: {error}") from error
            return False
        self._save_failures = 0
        return True

    def _agree(self, signal_number: int) -> int:
        """The signal that any process received; all stop after the same step."""
        if self.accelerator.num_processes == 1:
            return signal_number
        received = torch.tensor([signal_number], device=self.accelerator.device)
        return int(self.accelerator.gather(received).max())

    def _open_logs(self) -> None:
        step, run = self.state.step, self.config.run
        self.display = Display(step, run.max_steps, run.log_every, quiet=not self.main)
        if self.main:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.checkpoints.remove_drafts()
            (self.folder / "config.yaml").write_text(dump(self.config), encoding="utf-8")
            self.metrics = MetricsFile(self.folder / "metrics.jsonl", step, self.say)
        self.trackers = Trackers(self.accelerator, self.config, step, self.say)
