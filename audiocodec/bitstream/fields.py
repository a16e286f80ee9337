"""Fields of headers: variable-length integers and length-prefixed blocks, read with every bound checked first."""

from collections.abc import Iterable, Iterator

from ..errors import BitstreamError

MAX_VARINT = (1 << 63) - 1
CRITICAL = 0x80  # block types from here on must be understood by a reader; lower ones may be skipped


def varint(value: int) -> bytes:
    """Write an unsigned integer in 7-bit groups, least significant first, high bit set on all but the last (LEB128)."""
    if not 0 <= value <= MAX_VARINT:
        raise BitstreamError(f"{value} cannot be stored; allowed are 0 to {MAX_VARINT}")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class Fields:
    """Reads fields one after another from bytes in memory; a field that is not all there is a BitstreamError."""

    def __init__(self, data: bytes, where: str):
        self._data, self._position, self._where = data, 0, where

    @property
    def left(self) -> int:
        """Number of bytes not yet read."""
        return len(self._data) - self._position

    def take(self, count: int) -> bytes:
        """Read `count` bytes."""
        if count > self.left:
            raise BitstreamError(f"{self._where}: a field of {count} bytes is cut off after {self.left}")
        self._position += count
        return self._data[self._position - count : self._position]

    def u8(self) -> int:
        """Read one byte as an integer."""
        return self.take(1)[0]

    def varint(self, name: str, low: int = 0, high: int = MAX_VARINT) -> int:
        """Read a variable-length integer and check that it lies in [low, high] and is spelt in the shortest way."""
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift >= 63:
                raise BitstreamError(f"{self._where}: {name} is longer than 63 bits")
        if byte == 0 and shift > 7:
            raise BitstreamError(f"{self._where}: {name} is not spelt in the shortest way")
        return check_range(value, low, high, f"{self._where}: {name}")

    def text(self, name: str, length: int) -> str:
        """Read `length` bytes of UTF-8."""
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise BitstreamError(f"{self._where}: {name} is not UTF-8") from error

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """Read typed blocks (type byte, length, content) until the end."""
        while self.left:
            kind = self.u8()
            yield kind, self.take(self.varint("length of a block"))


def check_range(value: int, low: int, high: int, name: str) -> int:
    """Return `value` if it lies in [low, high], else raise a BitstreamError that says so."""
    if not low <= value <= high:
        raise BitstreamError(f"{name} is {value}; allowed are {low} to {high}")
    return value


def write_blocks(blocks: Iterable[tuple[int, bytes]]) -> bytes:
    """Write typed blocks: type byte, length, content; the inverse of `Fields.blocks`."""
    return b"".join(bytes([kind]) + varint(len(content)) + content for kind, content in blocks)


def refuse_critical(kind: int, where: str) -> None:
    """Called for a block of unknown type: pass over it, unless its writer said that it must be understood."""
    if kind >= CRITICAL:
        raise BitstreamError(
            f"{where}: a required block of type {kind} is not known to this version of audiocodec; update audiocodec"
        )
