"""Codes to payload bytes and back: fixed width, static tables or adaptive counts, whichever is smallest."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import BitstreamError
from .adaptive import AdaptiveModel, best_parameter
from .bits import from_bits, pack, spread, to_bits, unpack
from .fields import Fields, varint
from .header import StreamInfo
from .packets import MAX_PAYLOAD, MODE_ADAPTIVE, MODE_FIXED, MODE_STATIC, Packet
from .range_coder import RangeDecoder, RangeEncoder
from .tables import TableModel, Tables

CODES_PER_BYTE = 16  # at most: so that a small file can never ask for much memory or time
_COUNT_FROM = 16  # codes per codebook: fewer teach nothing worth the time to try
_JOIN_BELOW = 128  # codes per codebook: for longer packets, a run for each codebook costs next to nothing

Model = AdaptiveModel | TableModel
MakeModel = Callable[[int], Model]  # codebook -> fresh statistics for it


def encode_packet(
    codes: NDArray[np.integer], frame: int, info: StreamInfo, tables: Tables | None = None, entropy: bool = True
) -> Packet:
    """Code some frames into the smallest packet.

    Args:
        codes: [C, K, T] within their codebooks; K may be smaller than `info.n_q`.
        frame: index of the first of them in the recording.
        info: the header of the file.
        tables: static statistics of the model, tried too if given.
        entropy: False keeps to fixed width, which is coded and decoded faster.
    """
    _, n_q, n_frames = codes.shape
    best = Packet(frame, n_frames, n_q, encode_fixed(codes, info))
    if not entropy:
        return best
    if tables is not None:
        best = _smallest(best, _encode_coded(codes, info, MODE_STATIC, lambda k: TableModel(tables.layers[k]), b""))
    if codes.shape[0] * n_frames < _COUNT_FROM:
        return best
    shifts = info.sf_bits_per_codebook[:n_q]
    segments = [codes[:, k] >> bits for k, bits in enumerate(shifts)]
    parameter, cost = best_parameter(segments, info.codebook_sizes[:n_q])
    if cost + sum(shifts) * segments[0].size < 8 * len(best.payload):
        adaptive = _adaptive(info, parameter)
        best = _smallest(best, _encode_coded(codes, info, MODE_ADAPTIVE, adaptive, bytes([parameter])))
    return best


def decode_packet(packet: Packet, info: StreamInfo, tables: Tables | None = None) -> NDArray[np.integer]:
    """Get the codes of a packet back.

    Returns:
        [C, K, T] uint16, or uint32 where a codebook has more than 65536 different codes.
    Raises:
        BitstreamError: the payload cannot have been made by a writer of this format, or needs tables not given.
    """
    if packet.mode == MODE_FIXED:
        return decode_fixed(packet, info)
    data = packet.payload
    if packet.mode == MODE_STATIC:
        if tables is None or tables.id != info.tables_id or not tables.fits(info.codebook_sizes):
            raise BitstreamError(
                f"the file needs the entropy tables {info.tables_id.hex() or '(not named)'} of model "
                f"{info.model_name!r}; those given are {tables.id.hex() if tables else 'none'}"
            )
        return _decode_coded(packet, data, info, lambda k: TableModel(tables.layers[k]))
    if packet.mode == MODE_ADAPTIVE:
        if not data:
            raise BitstreamError("the parameter of the adaptive coding is missing")
        return _decode_coded(packet, data[1:], info, _adaptive(info, data[0]))
    raise BitstreamError(f"coding mode {packet.mode} is not known to this version of audiocodec; update audiocodec")


def encode_fixed(codes: NDArray[np.integer], info: StreamInfo) -> bytes:
    """All codes of the first codebook, then of the second, ...: each in its fixed width, no gaps, padded at the end."""
    layers = [to_bits(codes[:, k], width) for k, width in zip(range(codes.shape[1]), info.widths, strict=False)]
    return np.packbits(np.concatenate(layers)).tobytes()


def decode_fixed(packet: Packet, info: StreamInfo) -> NDArray[np.integer]:
    """The inverse of `encode_fixed`."""
    count, widths = info.n_streams * packet.n_frames, info.widths[: packet.n_q]
    bits = spread(packet.payload, count * sum(widths))
    ends = np.cumsum([count * width for width in widths])
    layers = [from_bits(piece, width) for piece, width in zip(np.split(bits, ends[:-1]), widths, strict=True)]
    return _assemble(layers, packet, info)


def check_codes(layer: NDArray[np.integer], k: int, info: StreamInfo) -> None:
    """Refuse codes that codebook `k` does not have."""
    size = info.alphabet_sizes[k]
    if layer.size and (int(layer.max()) >= size or int(layer.min()) < 0):
        bad = layer[(layer >= size) | (layer < 0)].flat[0]
        raise BitstreamError(f"code {bad} of codebook {k} is outside 0 to {size - 1}")


def code_dtype(info: StreamInfo) -> type[np.uint16] | type[np.uint32]:
    """The smallest unsigned type, from 16 bits up, that holds every code of the file."""
    return np.uint16 if max(info.alphabet_sizes) <= 1 << 16 else np.uint32


def layer_sizes(packet: Packet, info: StreamInfo) -> tuple[int, list[int], list[int]]:
    """Where the codebooks lie in an entropy-coded payload that is not joined.

    Returns:
        Offset of the first codebook's bytes, bytes of each codebook, and bytes that each saves over fixed width
        (0: it is stored in fixed width).
    """
    count = info.n_streams * packet.n_frames
    fields = Fields(packet.payload, "packet")
    fields.take(packet.mode == MODE_ADAPTIVE)
    sizes, savings = [], []
    for width in info.widths[: packet.n_q]:
        fixed = _bytes_for(count * width)
        savings.append(fields.varint("bytes saved", 0, fixed - _fewest(count)))
        sizes.append(fixed - savings[-1])
    if fields.left != sum(sizes):
        raise BitstreamError(f"the codebooks of a packet take {sum(sizes)} bytes, it has {fields.left}")
    return len(packet.payload) - fields.left, sizes, savings


def _encode_coded(
    codes: NDArray[np.integer], info: StreamInfo, mode: int, make: MakeModel, parameter: bytes
) -> list[Packet]:
    """The packets that a kind of statistics gives: one run for each codebook and, for short packets, one for all."""
    channels, n_q, n_frames = codes.shape
    count = channels * n_frames
    savings, layers = b"", b""
    for k in range(n_q):
        encoder = RangeEncoder()
        _encode_layer(encoder, codes, k, info, make(k))
        coded, fixed = encoder.finish().ljust(_fewest(count), b"\0"), _bytes_for(count * info.widths[k])
        saved = max(0, fixed - len(coded))
        savings += varint(saved)
        layers += coded if saved else pack(codes[:, k], info.widths[k])
    found = [Packet(0, n_frames, n_q, parameter + savings + layers, mode)]
    if count < _JOIN_BELOW:
        encoder = RangeEncoder()
        for k in range(n_q):
            _encode_layer(encoder, codes, k, info, make(k))
        run = encoder.finish().ljust(_fewest(count * n_q), b"\0")
        found.append(Packet(0, n_frames, n_q, parameter + run, mode, joined=True))
    return found


def _decode_coded(packet: Packet, data: bytes, info: StreamInfo, make: MakeModel) -> NDArray[np.integer]:
    count = info.n_streams * packet.n_frames
    layers: list[NDArray[np.integer]] = []
    if packet.joined:
        if len(data) < _fewest(count * packet.n_q):
            raise BitstreamError("the packet is too short for its number of codes")
        decoder = RangeDecoder(data)
        for k in range(packet.n_q):
            layers.append(_decode_layer(decoder, k, packet, info, make(k), layers))
        decoder.check_end()
        return _assemble(layers, packet, info)
    start, sizes, savings = layer_sizes(packet, info)
    for k, (size, saved) in enumerate(zip(sizes, savings, strict=True)):
        piece = packet.payload[start : start + size]
        start += size
        if saved:
            decoder = RangeDecoder(piece)
            layers.append(_decode_layer(decoder, k, packet, info, make(k), layers))
            decoder.check_end()
        else:
            layers.append(unpack(piece, info.widths[k], count))
    return _assemble(layers, packet, info)


def _encode_layer(encoder: RangeEncoder, codes: NDArray[np.integer], k: int, info: StreamInfo, model: Model) -> None:
    """Code one codebook: for each code its segment by the statistics, then its space-filling bits, all alike."""
    shift, last = info.sf_bits_per_codebook[k], info.codebook_sizes[k] - 1
    for c in range(len(codes)):
        model.begin()
        above = codes[c, k - 1] >> info.sf_bits_per_codebook[k - 1] if k else np.zeros_like(codes[c, 0])
        for code, over in zip(codes[c, k].tolist(), above.tolist(), strict=True):
            model.encode(encoder, code >> shift, over)
            if shift and code >> shift != last:
                encoder.encode_bits(code & ((1 << shift) - 1), shift)


def _decode_layer(
    decoder: RangeDecoder, k: int, packet: Packet, info: StreamInfo, model: Model, layers: Sequence[NDArray[np.integer]]
) -> NDArray[np.integer]:
    """The inverse of `_encode_layer`; `layers` are the codebooks decoded so far."""
    shift, last = info.sf_bits_per_codebook[k], info.codebook_sizes[k] - 1
    above = (layers[k - 1] >> info.sf_bits_per_codebook[k - 1]).tolist() if k else None
    if above is not None and max(above) >= info.codebook_sizes[k - 1]:
        raise BitstreamError(f"a code of codebook {k - 1} is too large")
    codes: list[int] = []
    for _ in range(info.n_streams):
        model.begin()
        for _ in range(packet.n_frames):
            code = model.decode(decoder, above[len(codes)] if above else 0)
            if shift:
                code = code << shift | (decoder.decode_bits(shift) if code != last else 0)
            codes.append(code)
    return np.array(codes, dtype=np.uint32)


def _assemble(layers: Sequence[NDArray[np.integer]], packet: Packet, info: StreamInfo) -> NDArray[np.integer]:
    codes = np.empty((info.n_streams, packet.n_q, packet.n_frames), dtype=code_dtype(info))
    for k, layer in enumerate(layers):
        check_codes(layer, k, info)
        codes[:, k] = layer.reshape(info.n_streams, packet.n_frames)
    return codes


def _smallest(best: Packet, others: list[Packet]) -> Packet:
    """The smallest payload; of others, a joined one only where it saves 3 %, because joined codebooks cannot be cut."""
    for other in others:
        margin = len(other.payload) >> 5 if other.joined and not best.joined else 0
        if len(other.payload) + margin < len(best.payload) and len(other.payload) <= MAX_PAYLOAD:
            best = Packet(best.frame, best.n_frames, best.n_q, other.payload, other.mode, other.joined)
    return best


def _adaptive(info: StreamInfo, parameter: int) -> MakeModel:
    return lambda k: AdaptiveModel(info.codebook_sizes[k], parameter)


def _bytes_for(bits: int) -> int:
    return (bits + 7) // 8


def _fewest(count: int) -> int:
    """Bytes that `count` codes take at least."""
    return -(-count // CODES_PER_BYTE)
