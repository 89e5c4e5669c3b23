"""`zlib` as CircuitPython has it: decompress only, whole buffer in, whole buffer out."""

import io as _io

import simboard as _board

if _board.VM == "cpython":
    import zlib as _zlib
else:
    import deflate as _deflate


def decompress(data, wbits=0):
    try:
        if _board.VM == "cpython":
            return _zlib.decompress(data, wbits or 15)
        kind = _deflate.RAW if wbits < 0 else _deflate.GZIP if wbits > 16 else _deflate.ZLIB
        return _deflate.DeflateIO(_io.BytesIO(data), kind, 15).read()
    except (OSError, EOFError, Exception) as error:
        if isinstance(error, MemoryError):
            raise
        raise ValueError(-3)
