"""What a .anc file says about itself before the first packet: StreamInfo and its bytes."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

from ..errors import BitstreamError, CodecError, ConfigError, ModelMismatchError
from .fields import Fields, refuse_critical, varint, write_blocks

MAGIC = b"\x89ANC\r\n"  # the high bit and CR-LF show damage by 7-bit or text-mode transfer
VERSION = (1, 0)
HASH_PREFIX = 4  # bytes of each SHA-256 in every header; the whole ones go into an optional block

MAX_CODEBOOKS = 64
MAX_CODEBOOK_SIZE = 1 << 16
MAX_SF_BITS = 3
MAX_CHANNELS = 32
MAX_CODEC_CHANNELS = 8
MAX_RATE_HZ = 768_000
MAX_HOP = 1 << 20
MAX_HEADER = 1 << 16
MAX_FRAMES = 1 << 32
MAX_SAMPLES = 1 << 48
MAX_NAME = 255

BLOCK_TAGS, BLOCK_FULL_HASHES, BLOCK_TABLES = 1, 2, 3
_SIZES_LISTED, _SF_LISTED = 0, 0x80  # in the byte that describes the codebooks


@dataclass(frozen=True)
class StreamInfo:
    """Everything that a reader needs to know about the codes of one file.

    Args:
        model_name: name of the model, for messages and for finding it; never used as a path by this package.
        weights_sha256: SHA-256 of the weights, 32 bytes, or its first bytes (at least 4) when read from a file.
        config_sha256: SHA-256 of the model's configuration, likewise.
        sample_rate: rate at which the codec works, Hz.
        hop_length: samples per frame at `sample_rate`.
        channels: channels of the recording.
        codebook_sizes: entries of each codebook, in order; its length is the number of codebooks.
        original_rate: rate of the recording before compression, Hz.
        sf_bits: space-filling bits n, one for all codebooks or one for each: codes of that codebook run from 0 to
            (size - 1) * 2**n inclusive, so with n = 0 from 0 to size - 1.
        original_samples: samples per channel at `original_rate`; None while unknown (live).
        tags: free metadata, for example {"title": "..."}.
        tables_id: first 8 bytes of the SHA-256 of the static entropy tables used, b"" if none.
        codec_channels: channels that the model codes jointly; codes of a file with 2 channels are [2, K, T] for a mono
            model and [1, K, T] for a stereo one.
    Raises:
        ConfigError: a value is outside the limits of the format.
    """

    model_name: str
    weights_sha256: bytes
    config_sha256: bytes
    sample_rate: int
    hop_length: int
    channels: int
    codebook_sizes: tuple[int, ...]
    original_rate: int
    sf_bits: int | tuple[int, ...] = 0
    original_samples: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    tables_id: bytes = b""
    codec_channels: int = 1

    def __post_init__(self) -> None:
        sizes = tuple(int(size) for size in self.codebook_sizes)
        object.__setattr__(self, "codebook_sizes", sizes)
        if not 1 <= len(sizes) <= MAX_CODEBOOKS:
            raise ConfigError(f"a file holds 1 to {MAX_CODEBOOKS} codebooks, got {len(sizes)}")
        for name, value, low, high in (
            ("sample_rate", self.sample_rate, 1, MAX_RATE_HZ),
            ("original_rate", self.original_rate, 1, MAX_RATE_HZ),
            ("hop_length", self.hop_length, 1, MAX_HOP),
            ("channels", self.channels, 1, MAX_CHANNELS),
            ("codec_channels", self.codec_channels, 1, MAX_CODEC_CHANNELS),
            ("original_samples", self.original_samples or 0, 0, MAX_SAMPLES),
            *(("codebook size", size, 2, MAX_CODEBOOK_SIZE) for size in sizes),
            *(("sf_bits", bits, 0, MAX_SF_BITS) for bits in self.sf_bits_per_codebook),
        ):
            if not low <= value <= high:
                raise ConfigError(f"{name} must be {low} to {high}, got {value}")
        if len(self.sf_bits_per_codebook) != len(sizes):
            raise ConfigError(f"sf_bits names {len(self.sf_bits_per_codebook)} codebooks, codebook_sizes {len(sizes)}")
        if not isinstance(self.sf_bits, int) and len(set(self.sf_bits)) == 1:
            object.__setattr__(self, "sf_bits", self.sf_bits[0])  # one spelling for one meaning: == can be trusted
        for name, digest in (("weights_sha256", self.weights_sha256), ("config_sha256", self.config_sha256)):
            if not isinstance(digest, bytes) or not HASH_PREFIX <= len(digest) <= 32:
                raise ConfigError(f"{name} must be {HASH_PREFIX} to 32 bytes, got {digest!r}")
        if len(self.tables_id) not in (0, 8):
            raise ConfigError(f"tables_id must be 8 bytes or empty, got {len(self.tables_id)}")
        _check_name(self.model_name)

    @property
    def n_q(self) -> int:
        """Number of codebooks."""
        return len(self.codebook_sizes)

    @property
    def n_streams(self) -> int:
        """Length of the first axis of the codes: channels, divided by those coded jointly, rounded up."""
        return -(-self.channels // self.codec_channels)

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second, exact."""
        return Fraction(self.sample_rate, self.hop_length)

    @property
    def n_frames(self) -> int | None:
        """Frames that `original_samples` fill, rounded up; None while the length is unknown."""
        if self.original_samples is None:
            return None
        return -(-self.original_samples * self.sample_rate // (self.original_rate * self.hop_length))

    @cached_property
    def sf_bits_per_codebook(self) -> tuple[int, ...]:
        """Space-filling bits of each codebook."""
        return (self.sf_bits,) * self.n_q if isinstance(self.sf_bits, int) else tuple(self.sf_bits)

    @cached_property
    def alphabet_sizes(self) -> tuple[int, ...]:
        """How many different codes each codebook has: (size - 1) * 2**sf_bits + 1."""
        sizes = zip(self.codebook_sizes, self.sf_bits_per_codebook, strict=True)
        return tuple(((size - 1) << bits) + 1 for size, bits in sizes)

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Bits of a code of each codebook when stored in fixed width."""
        return tuple((alphabet - 1).bit_length() for alphabet in self.alphabet_sizes)

    @property
    def bitrate(self) -> float:
        """Nominal rate of the codes in fixed width, bit/s for all channels together."""
        return float(sum(self.widths) * self.n_streams * self.frame_rate)

    def first_codebooks(self, n_q: int) -> "StreamInfo":
        """The same stream with its first `n_q` codebooks only."""
        if not 1 <= n_q <= self.n_q:
            raise ConfigError(f"n_q must be 1 to {self.n_q}, got {n_q}")
        return replace(self, codebook_sizes=self.codebook_sizes[:n_q], sf_bits=self.sf_bits_per_codebook[:n_q])

    def is_model(self, weights_sha256: bytes, config_sha256: bytes) -> bool:
        """Whether a model with these hashes made the file, as far as the hash bytes known on both sides tell."""
        pairs = ((self.weights_sha256, weights_sha256), (self.config_sha256, config_sha256))
        return all(a[: len(b)] == b[: len(a)] for a, b in pairs)

    def check_model(self, name: str, weights_sha256: bytes, config_sha256: bytes) -> None:
        """Raise ModelMismatchError, naming both models, unless a model with these hashes made the file."""
        if not self.is_model(weights_sha256, config_sha256):
            raise ModelMismatchError(
                f"the file was made by model {self.model_name!r} (weights {self.weights_sha256.hex()[:8]}, "
                f"config {self.config_sha256.hex()[:8]}), but the model loaded is {name!r} (weights "
                f"{weights_sha256.hex()[:8]}, config {config_sha256.hex()[:8]}); load the model that made it"
            )


def encode_header(info: StreamInfo, *, full_hashes: bool = False) -> bytes:
    """Spell a header out in bytes (docs/format.md, section 3).

    Args:
        info: what to say; its `original_samples` is left out, because the footer says it.
        full_hashes: store all 32 bytes of both hashes (66 bytes more) rather than 4 of each.
    Raises:
        ConfigError: the tags do not fit, or `full_hashes` is asked and the hashes are not whole.
    """
    blocks: list[tuple[int, bytes]] = []
    if info.tags:
        pairs = [text.encode() for pair in info.tags.items() for text in pair]
        blocks.append((BLOCK_TAGS, b"".join(varint(len(text)) + text for text in pairs)))
    if full_hashes:
        if len(info.weights_sha256) != 32 or len(info.config_sha256) != 32:
            raise ConfigError("full_hashes needs both hashes whole (32 bytes each)")
        blocks.append((BLOCK_FULL_HASHES, info.weights_sha256 + info.config_sha256))
    if info.tables_id:
        blocks.append((BLOCK_TABLES, info.tables_id))
    name, channels = info.model_name.encode(), (info.codec_channels - 1) << 5 | (info.channels - 1)
    body = b"".join((
        varint(info.sample_rate), varint(info.hop_length), bytes([channels, info.n_q]), _codebooks(info),
        varint(0 if info.original_rate == info.sample_rate else info.original_rate),
        info.weights_sha256[:HASH_PREFIX], info.config_sha256[:HASH_PREFIX],
        bytes([len(name)]), name, write_blocks(blocks),
    ))  # fmt: skip
    if len(body) > MAX_HEADER:
        raise ConfigError(f"the header would take {len(body)} bytes, allowed are {MAX_HEADER}: shorten the tags")
    data = MAGIC + bytes([VERSION[0] << 4 | VERSION[1]]) + varint(len(body)) + body
    return data + zlib.crc32(data).to_bytes(4, "little")


def read_header(read: Callable[[int], bytes]) -> tuple[StreamInfo, bytes]:
    """Read and check a header.

    Args:
        read: returns exactly the number of bytes asked for, or raises BitstreamError.
    Returns:
        What the header says, and its bytes.
    Raises:
        BitstreamError: not a .anc file, a version that is not known, or damage.
    """
    data = read(len(MAGIC) + 1)
    if data[: len(MAGIC)] != MAGIC:
        raise BitstreamError(f"not a .anc file: it begins with {data[: len(MAGIC)]!r} instead of {MAGIC!r}")
    if data[-1] >> 4 != VERSION[0]:
        raise BitstreamError(
            f"the file is of format version {data[-1] >> 4}.{data[-1] & 15}; "
            f"this version of audiocodec reads {VERSION[0]}.x: update audiocodec"
        )
    length = b""
    while not length or (length[-1] & 0x80 and len(length) < 3):
        length += read(1)
    size = Fields(length, "header").varint("its length", high=MAX_HEADER)
    body, crc = read(size), read(4)
    data += length + body
    if zlib.crc32(data) != int.from_bytes(crc, "little"):
        raise BitstreamError("the header is damaged (its checksum is wrong)")
    try:
        return _parse_body(Fields(body, "header")), data + crc
    except BitstreamError:
        raise
    except CodecError as error:  # limits of StreamInfo: here the file is at fault, not the caller
        raise BitstreamError(f"header: {error}") from error


def _parse_body(fields: Fields) -> StreamInfo:
    sample_rate = fields.varint("sample rate", 1, MAX_RATE_HZ)
    hop_length = fields.varint("hop length", 1, MAX_HOP)
    channels, n_q = fields.u8(), fields.u8()
    if not 1 <= n_q <= MAX_CODEBOOKS:
        raise BitstreamError(f"header: number of codebooks is {n_q}; allowed are 1 to {MAX_CODEBOOKS}")
    kind = fields.u8()
    if kind & 0x1F == _SIZES_LISTED:
        sizes = tuple(fields.varint("codebook size", 2, MAX_CODEBOOK_SIZE) for _ in range(n_q))
    else:
        sizes = (1 << (kind & 0x1F),) * n_q
    if kind & _SF_LISTED and kind & 0x60:
        raise BitstreamError("header: space-filling bits are given twice")
    sf_bits = tuple(fields.take(n_q)) if kind & _SF_LISTED else (kind >> 5 & 3,) * n_q
    original_rate = fields.varint("original rate", 0, MAX_RATE_HZ) or sample_rate
    weights, config = fields.take(HASH_PREFIX), fields.take(HASH_PREFIX)
    name = fields.text("model name", fields.u8())
    tags: dict[str, str] = {}
    tables_id = b""
    for block, content in fields.blocks():
        if block == BLOCK_TAGS:
            tags |= _parse_tags(Fields(content, "tags"))
        elif block == BLOCK_FULL_HASHES:
            if len(content) != 64 or content[:HASH_PREFIX] != weights or content[32:][:HASH_PREFIX] != config:
                raise BitstreamError("header: the whole hashes do not agree with their first bytes")
            weights, config = content[:32], content[32:]
        elif block == BLOCK_TABLES:
            tables_id = content
        else:
            refuse_critical(block, "header")
    return StreamInfo(
        name, weights, config, sample_rate, hop_length, (channels & 31) + 1, sizes, original_rate, sf_bits,
        tags=tags, tables_id=tables_id, codec_channels=(channels >> 5) + 1,
    )  # fmt: skip


def _parse_tags(fields: Fields) -> dict[str, str]:
    tags = {}
    while fields.left:
        key = fields.text("key", fields.varint("length of a key"))
        tags[key] = fields.text("value", fields.varint("length of a value"))
    return tags


def _codebooks(info: StreamInfo) -> bytes:
    """One byte when all codebooks are alike and their size is a power of two, lists otherwise."""
    sizes, sf_bits = info.codebook_sizes, info.sf_bits_per_codebook
    log2 = sizes[0].bit_length() - 1
    alike = set(sizes) == {1 << log2}
    kind = (log2 if alike else _SIZES_LISTED) | (sf_bits[0] << 5 if len(set(sf_bits)) == 1 else _SF_LISTED)
    listed = b"" if alike else b"".join(varint(size) for size in sizes)
    return bytes([kind]) + listed + (bytes(sf_bits) if kind & _SF_LISTED else b"")


def _check_name(name: str) -> None:
    """A name may look like `speech-16k` or `group/model`, never like a path that leads anywhere."""
    parts = name.split("/")
    fine = len(name.encode(errors="replace")) <= MAX_NAME and len(parts) <= 2 and (name.isprintable())
    if not fine or "\\" in name or any(part.startswith((".", "~")) or (name and not part) for part in parts):
        raise ConfigError(f"model name {name!r} is not allowed: use a plain name or group/name, at most 255 bytes")
