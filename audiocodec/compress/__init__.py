"""Recordings to .anc bytes and back: the one meeting point of audio files, codec and bitstream.

Any sample rate is resampled to the codec's and back, every channel is coded by itself, and what comes back has the
length, rate and channels of what went in. Everything streams: an hour takes the memory of seconds.
"""

from .files import Report, compress, compress_file, decompress, decompress_file
from .models import DEFAULT_MODEL

__all__ = ["DEFAULT_MODEL", "Report", "compress", "compress_file", "decompress", "decompress_file"]
