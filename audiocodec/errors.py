"""Every error that audiocodec raises on purpose; messages say what came, what is allowed, and what to do."""


class CodecError(Exception):
    """Root of all errors raised by audiocodec; catching it catches them all."""


class ConfigError(CodecError):
    """A configuration file, override or argument is unknown, ill-typed or contradictory."""


class ShapeError(CodecError):
    """A tensor or array has the wrong number of dimensions, channels or codebooks."""


class AudioError(CodecError):
    """An audio file cannot be read or written, or its samples are not finite numbers."""


class BitstreamError(CodecError):
    """A compressed file is truncated, damaged, or not of this format."""


class ModelMismatchError(CodecError):
    """A compressed file or checkpoint belongs to another model than the one loaded."""


class CapacityError(CodecError):
    """A pool of streams is full."""


class NotStreamableError(CodecError):
    """The codec looks ahead or back without bound and cannot be run in steps."""
