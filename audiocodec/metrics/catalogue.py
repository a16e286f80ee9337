"""The metrics by name, and which of them stand in every table."""

from ..errors import ConfigError
from .base import Metric
from .mos import distillmos
from .pesq import pesq_nb, pesq_wb
from .sdr import si_sdr
from .speaker import speaker_cosine
from .spectral import (
    codec_superb_mel,
    log_spectral_distance,
    mel_distance,
    mel_distance_22k,
    mel_distance_44k,
    mel_loss_dac,
    mfcc_distance,
    stft_distance,
)
from .stoi import estoi, stoi
from .visqol import visqol, visqol_poly
from .words import word_error_rate

CORE = (pesq_wb, stoi, estoi, visqol, visqol_poly, mel_distance, stft_distance, si_sdr)
EXTENDED = (distillmos, speaker_cosine, word_error_rate)  # need large packages; left out and named where absent
MORE = (
    pesq_nb,
    log_spectral_distance,
    mfcc_distance,
    codec_superb_mel,
    mel_loss_dac,
    mel_distance_22k,
    mel_distance_44k,
)
METRICS = {metric.name: metric for metric in (*CORE, *EXTENDED, *MORE)}
GROUPS = {"core": CORE, "extended": EXTENDED, "all": tuple(METRICS.values())}


def choose(text: str) -> list[Metric]:
    """Metrics from a comma-separated list of names and groups, in the order given, each once.

    Args:
        text: such as "core,mfcc_distance".
    Returns:
        At least one metric; whether its packages are installed is for `Metric.missing` to say.
    Raises:
        ConfigError: a name is unknown, or none is given.
    """
    chosen: dict[str, Metric] = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        if word not in GROUPS and word not in METRICS:
            raise ConfigError(f"unknown metric {word!r}; known: {', '.join(METRICS)}; groups: {', '.join(GROUPS)}")
        chosen |= {metric.name: metric for metric in GROUPS.get(word) or (METRICS[word],)}
    if not chosen:
        raise ConfigError(f"no metric given; known: {', '.join(METRICS)}; groups: {', '.join(GROUPS)}")
    return list(chosen.values())
