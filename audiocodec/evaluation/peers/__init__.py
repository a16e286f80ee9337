"""Other people's codecs, side by side with ours: each peer is a `System`, named by family or by setting.

`parse("opus,amrwb_12.65k,lyra")` gives the default settings of a family, or the one setting named. A peer whose
library, package or weights are not on the machine is still parsed; it says so when its `version()` is asked.
"""

from ...errors import ConfigError
from ..systems import System
from .amrwb import BITRATES as AMR_WB_BITRATES
from .amrwb import AmrWb
from .codec2 import BITRATES as CODEC2_BITRATES
from .codec2 import Codec2
from .ffmpeg import Ffmpeg
from .lc3 import Lc3
from .lyra import BITRATES as LYRA_BITRATES
from .lyra import Lyra, default_folder
from .neural import Neural, default_model
from .opus import POST_FILTERS, Opus
from .pcm import Pcm
from .speex import Speex

DEFAULTS = {  # settings of a family when only its name is given
    "opus": ("opus_6k", "opus_9k", "opus_12k", "opus_16k", "opus_24k"),
    "opus_nolace": ("opus_9k_nolace", "opus_12k_nolace"),
    "amrwb": ("amrwb_6.6k", "amrwb_8.85k", "amrwb_12.65k", "amrwb_23.85k"),
    "speex": ("speex_q1", "speex_q2", "speex_q4", "speex_q6"),
    "codec2": ("codec2_0.7k", "codec2_1.3k", "codec2_2.4k", "codec2_3.2k"),
    "lyra": ("lyra_3.2k", "lyra_6k", "lyra_9.2k"),
    "lc3": ("lc3_16k", "lc3_24k", "lc3_32k"),
    "mp3": ("mp3_16k", "mp3_24k"),
    "aac": ("aac_16k", "aac_24k"),
    "g722": ("g722_64k",),
    "pcm": ("pcm16",),
    "encodec": ("encodec_1.5k", "encodec_3k", "encodec_6k"),
    "dac": ("dac_1.5k", "dac_3k", "dac_6k"),
    "mimi": ("mimi_0.55k", "mimi_1.1k", "mimi_4.4k"),
    "snac": ("snac",),
}


def known(lyra_folder: str) -> dict[str, System]:
    """Every setting by name; Lyra's reads its weights from `lyra_folder`."""
    opus_rates = (6000, 8000, 9000, 12000, 16000, 20000, 24000, 32000)
    file_rates = (8000, 16000, 24000, 32000, 48000)
    systems: list[System] = [
        *(Opus(rate, wide, post) for rate in opus_rates for wide in (False, True) for post in POST_FILTERS),
        *(AmrWb(rate) for rate in AMR_WB_BITRATES),
        *(Speex(quality) for quality in range(11)),
        *(Codec2(rate) for rate in CODEC2_BITRATES),
        *(Lyra(rate, lyra_folder) for rate in LYRA_BITRATES),
        *(Lc3(rate) for rate in (16000, 24000, 32000, 48000)),
        *(Ffmpeg(codec, rate) for codec in ("mp3", "aac") for rate in file_rates),
        Ffmpeg("g722", 64000),
        Pcm(),
        *(Neural("encodec", rate, default_model("encodec")) for rate in (1500, 3000, 6000, 12000, 24000)),
        *(Neural("dac", rate, default_model("dac")) for rate in (500, 1500, 3000, 6000)),
        *(Neural("mimi", rate, default_model("mimi")) for rate in (550, 1100, 2200, 4400)),
        Neural("snac", 0, default_model("snac")),
    ]
    return {system.name: system for system in systems}


def parse(text: str, lyra_folder: str | None = None) -> list[System]:
    """Systems from a comma-separated list of families and settings; `all` means every family.

    Args:
        text: such as "opus,amrwb,lyra_6k".
        lyra_folder: folder of Lyra's weights; default: the environment variable AUDIOCODEC_LYRA.
    Returns:
        Systems in the order given, each once.
    Raises:
        ConfigError: a name is neither a family nor a setting.
    """
    systems = known(default_folder() if lyra_folder is None else lyra_folder)
    chosen: dict[str, System] = {}
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in list(DEFAULTS) if "all" in words else words:
        for name in DEFAULTS.get(word, (word,)):
            if name not in systems:
                raise ConfigError(
                    f"unknown peer {word!r}; families: {', '.join(DEFAULTS)}, all; one setting: opus_9k, "
                    "opus_9k_nolace, amrwb_6.6k, speex_q2, codec2_3.2k, lyra_6k, lc3_16k, mp3_16k, …"
                )
            chosen[name] = systems[name]
    return list(chosen.values())
