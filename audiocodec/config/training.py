"""Every setting of a training run, written once, with its unit and its default."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from .base import Frozen
from .codec import CodecConfig

RECONSTRUCTION_TERMS = ("mel", "stft_log", "stft_linear", "complex", "loudness", "intelligibility", "waveform")
GENERATOR_TERMS = (*RECONSTRUCTION_TERMS, "adversarial", "feature_matching")

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = NonNegative  # of a loss term; a term of weight 0 is not computed


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _powers_of_two(values: tuple[int, ...]) -> tuple[int, ...]:
    for value in values:
        if value < 16 or value & (value - 1):
            raise ValueError(f"window lengths are powers of two of at least 16 samples, got {value}")
    return values


Paths = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]
Windows = Annotated[tuple[int, ...], AfterValidator(_powers_of_two)]


class AugmentConfig(Frozen):
    """Changes to crops that leave them possible recordings; the changed crop is input and target (data/augment.py)."""

    speed: tuple[Positive, Positive] = (1.0, 1.0)  # each crop is played at a speed from this range; pitch moves along
    mix: Share = 0.0  # share of the crops to which one of another recording is added: several speakers, background
    mix_db: tuple[float, float] = (-20.0, 0.0)  # level of what is added, against the crop
    narrow: Share = 0.0  # share of the crops whose upper frequencies are taken away
    narrow_hz: tuple[Positive, Positive] = (3000.0, 8000.0)  # bandwidth that stays
    pause: Share = 0.0  # share of the crops of which a stretch becomes digital silence
    pause_s: tuple[Positive, Positive] = (0.05, 0.3)  # its length

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("speed", "mix_db", "narrow_hz", "pause_s"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}=[{low:g}, {high:g}]: the lower end comes first")
        low, high = self.speed
        if not 0.5 <= low <= high <= 2:
            raise ValueError(f"speed=[{low:g}, {high:g}] is outside of 0.5 to 2")
        return self


class DataConfig(Frozen):
    """What is trained on: manifests or folders, crops, augmentation, loading."""

    train: Paths = ()  # folders, manifest.jsonl files or single recordings
    valid: Paths = ()  # the same; empty: no validation
    segment_s: Positive = 1.0  # length of a training crop, rounded down to whole frames
    batch_size: int = Field(8, ge=1)  # crops per optimizer step over ALL processes and micro-batches
    source_weights: dict[str, NonNegative] = Field(
        default_factory=dict
    )  # manifest `source` -> how often against its share of hours (default 1)
    gain_db: tuple[float, float] = (0.0, 0.0)  # each crop is scaled by a gain drawn evenly from this range
    polarity: bool = True  # each crop is turned upside down half of the time
    augment: AugmentConfig = AugmentConfig()
    cache: str | None = None  # folder: decode the corpus once to 16-bit samples there and memory-map it
    workers: int = Field(2, ge=0)  # threads that read ahead; 0 reads in line
    prefetch: int = Field(4, ge=1)  # steps read ahead
    max_bad_share: Share = 0.01  # stop when more than this share of the crops tried could not be read
    valid_segment_s: Positive = 10.0  # validation uses at most this much of the start of each recording
    valid_items: int = Field(16, ge=1)  # recordings validated, spread evenly over the list


class LossConfig(Frozen):
    """Weights of the terms of the generator's loss, and the scales they look at."""

    mel: Weight = 15.0  # multi-scale log-mel L1, as DAC trains it
    mel_windows: Windows = (32, 64, 128, 256, 512, 1024, 2048)  # samples; the hop is a quarter
    mel_bins: tuple[int, ...] = (5, 10, 20, 40, 80, 160, 320)
    log_floor: Positive = 1e-5  # smaller mel or STFT magnitudes count as this; higher: what is hardly heard weighs less
    stft_log: Weight = 0.0  # log-magnitude L1
    stft_linear: Weight = 0.0  # magnitude L1, relative to the mean magnitude of the target
    stft_windows: Windows = (512, 2048)
    complex: Weight = 0.0  # power-compressed complex spectrum
    complex_windows: Windows = (512, 1024)
    complex_power: Annotated[float, Field(gt=0, le=1)] = 0.3
    complex_norm: Literal["l1", "l2"] = "l1"
    loudness: Weight = 0.0  # disturbance of loudness patterns, after PESQ
    loudness_window: Annotated[int, Field(ge=16)] = 512  # samples; PESQ listens through 32 ms
    intelligibility: Weight = 0.0  # 1 - STOI, made smooth; looks through loudness_window
    waveform: Weight = 0.0  # L1 of samples, relative to the mean magnitude of the target
    quantizer: Weight = 1.0  # auxiliary loss of the quantizer, where its method has one
    adversarial: Weight = 1.0
    feature_matching: Weight = 2.0
    balancer: bool = False  # weights become shares of the gradient at the decoder's output (EnCodec)
    balancer_decay: Share = 0.999

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.mel_windows) != len(self.mel_bins):
            raise ValueError(
                f"mel_windows has {len(self.mel_windows)} entries and mel_bins {len(self.mel_bins)}: one each"
            )
        if not any(getattr(self, name) for name in RECONSTRUCTION_TERMS):
            raise ValueError("every reconstruction term has weight 0; give one of mel, stft_log, ... a weight")
        return self

    @property
    def longest_window(self) -> int:
        """Samples of the longest window that a term of non-zero weight looks at."""
        mel = self.mel_windows if self.mel else ()
        stft = self.stft_windows if self.stft_log or self.stft_linear else ()
        compressed = self.complex_windows if self.complex else ()
        return max((0, *mel, *stft, *compressed, self.loudness_window if self.loudness or self.intelligibility else 0))


class OptimConfig(Frozen):
    """Generator's optimizer, schedule, clipping and averaging."""

    lr: Positive = 3e-4
    betas: tuple[Share, Share] = (0.8, 0.99)
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.0
    codebook_lr: Positive = 1.0  # learning rate of codebooks relative to lr; they never decay
    lr_batch_size: int | None = Field(
        None, ge=1
    )  # batch that lr was tuned for: scales lr by batch_size / this; null: not
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup_steps: int = Field(0, ge=0)
    decay_start: Share = 0.0  # linear: share of max_steps held constant before the fall
    floor: Share = 0.0  # last learning rate, relative to lr
    clip: Positive = 1.0  # largest gradient norm; longer gradients are scaled down
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.999  # of the averaged weights used for evaluation and export


class DiscriminatorConfig(Frozen):
    """The discriminators and their optimizer."""

    start_step: int = Field(0, ge=0)  # first step that trains them
    warmup_steps: int = Field(0, ge=0)  # further steps before the generator hears of them
    periods: tuple[Annotated[int, Field(ge=2)], ...] = (2, 3, 5, 7, 11)
    period_channels: tuple[Annotated[int, Field(ge=1)], ...] = (32, 128, 512, 1024, 1024)
    stft_windows: Windows = (512, 1024, 2048)
    stft_channels: int = Field(32, ge=1)
    stft_power: Annotated[float, Field(gt=0, le=1)] = 1.0  # of magnitudes they see; below 1: quiet bands weigh more
    window_s: Positive | None = None  # only a random stretch of each crop is judged, which costs less; null: all of it
    lr: Positive = 3e-4
    betas: tuple[Share, Share] = (0.8, 0.99)
    weight_decay: NonNegative = 0.0
    clip: Positive = 10.0

    @property
    def adversary_step(self) -> int:
        """First step whose generator loss has adversarial terms."""
        return self.start_step + self.warmup_steps


class RunConfig(Frozen):
    """Where, how long, how exactly, and what is kept."""

    dir: str = "runs/default"
    max_steps: int = Field(100_000, ge=1)
    seed: int = Field(0, ge=0, lt=2**32)
    checkpoint_every: int = Field(1000, ge=1)
    keep_last: int = Field(2, ge=1)
    validate_every: int = Field(1000, ge=1)
    validate_n_q: tuple[Annotated[int, Field(ge=1)], ...] = ()  # numbers of codebooks validated; empty: all of them
    best: Literal["loss", "mel_distance", "pesq_wb", "stoi", "si_sdr"] = "mel_distance"  # figure of the best checkpoint
    log_every: int = Field(50, ge=1)  # steps between printed lines and tracker entries; metrics.jsonl has every step
    trackers: tuple[Literal["tensorboard", "wandb", "trackio"], ...] = ("tensorboard",)  # those installed are used
    samples: int = Field(2, ge=0)  # recordings sent to the trackers as sound and spectrogram at each validation
    device: Literal["auto", "cpu"] = "auto"
    threads: int | None = Field(None, ge=1)  # CPU threads of PyTorch; null: its own choice
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    accumulate: int = Field(1, ge=1)  # micro-batches per optimizer step
    compile: bool = False
    deterministic: bool = True  # ask PyTorch for repeatable kernels
    quantizer_init_batches: int = Field(4, ge=0)  # batches whose latents start the codebooks; 0 keeps the random start
    nan_limit: int = Field(5, ge=1)  # stop after this many steps in a row without a finite loss
    init_from: str | None = None  # folder of a codec or of a checkpoint whose weights are the start
    init_parts: tuple[Literal["encoder", "quantizer", "decoder"], ...] = ("encoder", "quantizer", "decoder")
    init_companions: bool = False  # also discriminators and optimizer moments, where init_from is a checkpoint
    freeze: tuple[Literal["encoder", "quantizer", "decoder"], ...] = ()


class TrainConfig(Frozen):
    """One experiment, complete: the codec, its data, its losses, its optimizers, its run."""

    model: CodecConfig = CodecConfig()
    data: DataConfig = DataConfig()
    loss: LossConfig = LossConfig()
    optim: OptimConfig = OptimConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    run: RunConfig = RunConfig()

    @property
    def adversarial(self) -> bool:
        """Whether discriminators exist in this run."""
        wanted = self.loss.adversarial > 0 or self.loss.feature_matching > 0
        return wanted and self.discriminator.start_step < self.run.max_steps

    @property
    def segment_samples(self) -> int:
        """Length of a training crop in samples at the codec's rate: whole frames."""
        hop = self.model.hop_length
        return int(self.data.segment_s * self.model.sample_rate) // hop * hop

    @property
    def segment_s(self) -> float:
        """The same in seconds."""
        return self.segment_samples / self.model.sample_rate

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.data.batch_size % self.run.accumulate:
            raise ValueError(
                f"data.batch_size={self.data.batch_size} is no multiple of run.accumulate={self.run.accumulate}"
            )
        if self.segment_samples < 1:
            raise ValueError(f"data.segment_s={self.data.segment_s} is shorter than one frame of the model")
        longest = self.loss.longest_window
        if self.segment_samples < longest:
            raise ValueError(
                f"data.segment_s={self.data.segment_s} is shorter than the longest loss window ({longest} samples)"
            )
        judged = min(self.segment_s, self.discriminator.window_s or self.segment_s) * self.model.sample_rate
        if self.adversarial and judged < max((0, *self.discriminator.stft_windows)):
            raise ValueError(f"discriminator.stft_windows are longer than the {judged:.0f} samples that are judged")
        n_q = self.model.quantizer.n_q
        if any(k > n_q for k in self.run.validate_n_q):
            raise ValueError(
                f"run.validate_n_q={list(self.run.validate_n_q)} asks for more than model.quantizer.n_q={n_q}"
            )
        return self
