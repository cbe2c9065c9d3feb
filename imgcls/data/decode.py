"""Decoding photographs: one decoder, so that training, validation, prediction and EDA see the same pixels.

A photograph of 100 megapixels takes 100 to 400 MB as it lies in memory, and several times that once it is widened
to floats or copied as other modes. So what is not plain RGB is turned upright and brought to 8 bits piece by piece
(`_upright`), and all threads together take no more than `MOST_MEMORY` (`_Room`).
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import io
import json
import logging
import math
import os
import stat
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from imgcls.data.files import DICOM, HEIC, has_extra, kind_by_content
from imgcls.errors import DecodeError, UsageError

DECODER_VERSION = 1
"""Raised whenever the same file would give other pixels, so that no cache mixes the two.

1: JPEG decoded at 1/1, 1/2, 1/4 or 1/8 (`draft`), the smallest that is at least twice the target on
both sides; EXIF orientation applied; transparency laid over white; 16-bit values divided by 257;
first frame; antialiased bicubic resize by Pillow.
"""
MAX_PIXELS = 100_000_000
"""A photograph whose header claims more is refused before any pixel is decoded; `IMGCLS_MAX_PIXELS` says otherwise."""
MOST_MEMORY = 1 << 30
"""What all threads of a process together may take while they decode, bytes; a photograph that needs more is alone."""
MAX_BYTES = 1 << 29
"""A file above 512 MiB is refused before it is read."""
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
"""What is read, by content: Pillow's readers for drawings and scripts stay closed."""
_HEIF = "HEIF"

Pixels = npt.NDArray[np.uint8]
Resize = Literal["squash", "crop", "pad"]
PadMode = Literal["constant", "symmetric", "reflect", "edge"]

_WHITE = (255, 255, 255, 255)
_NOT_IMAGES = {
    b"version https://git-lfs": "a Git LFS pointer, not the image",
    b"<!doctype html": "a web page, not an image",
    b"<html": "a web page, not an image",
}
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8")
_EXIF_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""From an EXIF orientation to what puts the picture upright."""
_LARGE_FILE = 1 << 25
"""Files above 32 MiB are read one at a time."""
_UNCOUNTED = 1 << 23
"""Photographs that take at most 8 MiB while they are decoded need not wait: a hundred threads of them have room."""
_TRIMMED = 1 << 24
"""After a photograph that may have taken more than 16 MiB, freed memory goes back to the system."""
_PIECE_PX = 1 << 20
"""The pixels that are converted at once."""
_BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""How Pillow keeps a pixel; every other mode takes four bytes."""
_BYTES_OF_READER = {"WEBP": 8, "AVIF": 12, "JPEG2000": 24, "TIFF": 8, _HEIF: 12}
"""What a reader takes beside the picture that it gives, bytes a pixel at most."""
_N_START = 132
"""How many bytes of a file tell its kind."""
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_N_MEASURED = 1 << 20
"""About how many values of a photograph its range is measured on."""
_MOST_MAX_PIXELS = 10_000_000_000
_OF_SETTINGS = ("too many pixels", "values ", "needs an extra")
_MOST_SAID = 120
_EXIF_MAKE, _EXIF_MODEL, _EXIF_BLOCK, _EXIF_TAKEN, _EXIF_SERIAL = 0x010F, 0x0110, 0x8769, 0x9003, 0xA431
_WARNINGS = threading.Lock()
for _reader in ("PIL", "pydicom"):  # without a handler of the program's own, their remarks would go to stderr
    logging.getLogger(_reader).addHandler(logging.NullHandler())

# libtiff writes lines of its own to stderr, by no name of a file; what stops a photograph is Pillow's exception.
with suppress(OSError, AttributeError, TypeError):  # Pillow without libtiff, or with one that is linked into it
    _LIBRARIES = ctypes.CDLL(Image.core.__file__)
    _LIBRARIES.TIFFSetErrorHandler(None)
    _LIBRARIES.TIFFSetWarningHandler(None)


@dataclass(frozen=True)
class Preprocess:
    """How a photograph becomes a square of pixels."""

    size_px: int
    """The side of the square, at least 1."""
    resize: Resize = "squash"
    """squash: both sides to the size; crop: the middle square; pad: the whole picture, its border filled."""
    pad_mode: PadMode = "symmetric"
    """What fills the border when padding (numpy's names); constant is black."""
    stretch: tuple[float, float] | None = None
    """Of files of more than 8 bits, the values that become black and white; None takes what their kind can hold."""

    @property
    def key(self) -> str:
        """A short hex digest of these settings and the version of the decoder."""
        text = json.dumps({"decoder": DECODER_VERSION, **self.to_json()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain JSON; the pad mode and the stretch only where they matter."""
        settings = asdict(self)
        if self.resize != "pad":
            del settings["pad_mode"]
        if self.stretch is None:
            del settings["stretch"]
        return settings


@dataclass(frozen=True)
class Decoded:
    """A decoded photograph and its size before the resize."""

    pixels: Pixels
    """uint8 [size_px, size_px, 3], RGB."""
    width_px: int
    """The width of the upright photograph."""
    height_px: int
    """The height of the upright photograph."""


@dataclass(frozen=True)
class Header:
    """What a photograph is, as it says before any pixel is decoded."""

    format: str
    """By content: JPEG, PNG, …"""
    mode: str
    """The mode of its pixels in Pillow's words: RGB, L, I;16, …; of DICOM, what makes its values 8 bits."""
    orientation: int
    """The EXIF orientation, 1 to 8; 1 where there is none."""
    is_deep: bool = False
    """Whether its values have more than 8 bits."""


@dataclass(frozen=True)
class Values:
    """Which values a photograph of more than 8 bits uses, and which of them become black and white."""

    low: float
    """The quantile of 0.1 % of its values."""
    high: float
    """The quantile of 99.9 %: a few hot pixels do not decide."""
    black: float
    """What becomes black, and all that is below it."""
    white: float
    """What becomes white, and all that is above it."""


def decode(source: bytes | Path, preprocess: Preprocess) -> Pixels:
    """Decode a photograph into a square of pixels.

    Args:
        source: The content of a file, or its path.
        preprocess: The size and the kind of resize.

    Returns:
        uint8 [size_px, size_px, 3], RGB, upright.

    Raises:
        DecodeError: The photograph cannot be read; the message is a short reason.
        UsageError: IMGCLS_MAX_PIXELS is no number of pixels.
    """
    return decode_with_size(source, preprocess).pixels


def decode_with_size(source: bytes | Path, preprocess: Preprocess) -> Decoded:
    """Decode a photograph as `decode` does, and give its upright size as well.

    Whole numbers of 16 bits and more must lie within 0..65535 and are divided by 257. Floats are
    taken as 0..1, 0..255 or 0..65535, the first that holds them all. Anything else is refused: to
    stretch it between its extremes would let one pixel decide the brightness. Where the data say
    which values become black and white (`Preprocess.stretch`), that holds for all of these instead.
    """
    limit = max_pixels()
    if isinstance(source, Path):
        with room_to_read(source):
            return _decoded(read_photo(source), preprocess, limit)
    return _decoded(source, preprocess, limit)


def _decoded(content: bytes, preprocess: Preprocess, limit: int) -> Decoded:
    if not content:
        raise DecodeError("empty file")
    try:
        kind = kind_by_content(content)
        if kind == DICOM:
            return _decoded_dicom(content, preprocess, limit)
        image = _opened(io.BytesIO(content), kind, limit)
        width, height = image.size
        wanted_px = 2 * preprocess.size_px
        image.draft("RGB", (wanted_px, wanted_px))
        n_bytes = _n_bytes(image, (width, height), len(content), preprocess)
        if n_bytes <= _UNCOUNTED:
            pixels, orientation = _square_of(image, content, preprocess)
        else:
            with _ROOM.taken(n_bytes):
                try:
                    pixels, orientation = _square_of(image, content, preprocess)
                finally:
                    image.close()  # before the room is given back
        return Decoded(pixels, *((height, width) if orientation > 4 else (width, height)))
    except DecodeError:
        raise
    except Exception as error:  # damaged files raise nearly anything, SyntaxError included
        raise DecodeError(_reason(error, content, limit)) from error


def _square_of(image: Image.Image, content: bytes, preprocess: Preprocess) -> tuple[Pixels, int]:
    """Decode what was opened, and return the square and the orientation it had."""
    if preprocess.stretch is not None and _is_deep_colour(image):
        orientation = _orientation(image)
        return _fit(_upright(_deep_colour(content, preprocess.stretch), orientation, None), preprocess), orientation
    _load(image)
    orientation = _orientation(image, is_loaded=True)
    return _fit(_upright(image, orientation, preprocess.stretch), preprocess), orientation


def _load(image: Image.Image) -> None:
    """Decode the pixels; of a TIFF Pillow then looks at its size once more, against a limit of its own."""
    limit = Image.MAX_IMAGE_PIXELS
    if image.format == "TIFF" and limit is not None and image.width * image.height > limit:
        with _without_warnings(any_size=True):
            image.load()
    else:
        image.load()


def read_header(path: Path) -> Header:
    """Read what a photograph is, without decoding it.

    The EXIF block of a PNG counts only where it precedes the pixels; to find a later one would decode them all.

    Raises:
        DecodeError: It is missing, no regular file, unreadable, or no photograph.
    """
    limit = max_pixels()
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DecodeError("not a regular file")
        with path.open("rb") as file:
            kind = kind_by_content(file.read(_N_START))
            file.seek(0)
            if kind == DICOM:
                dicom = _Dicom.of(file, pixels=False)
                return Header("DICOM", dicom.mode, 1, dicom.is_deep)
            image = _opened(file, kind, limit)
            with _without_warnings():
                return Header(image.format or "", image.mode, _orientation(image), _is_deep(image))
    except DecodeError:
        raise
    except UnidentifiedImageError as error:
        raise DecodeError("not an image") from error
    except (OSError, ValueError) as error:
        raise DecodeError(_why_unreadable(error)) from error
    except Exception as error:  # damaged files raise nearly anything, SyntaxError included
        raise DecodeError(_damaged(error)) from error


def read_values(path: Path, preprocess: Preprocess) -> Values | None:
    """Measure which values a photograph of more than 8 bits uses.

    Args:
        path: The file.
        preprocess: How it is decoded.

    Returns:
        None for a photograph of 8 bits, and for DICOM that says its own window.

    Raises:
        DecodeError: It cannot be read.
    """
    limit = max_pixels()
    with room_to_read(path):
        content = read_photo(path)
        try:
            kind = kind_by_content(content)
            if kind == DICOM:
                dicom = _Dicom.of(io.BytesIO(content), limit=limit)
                if not dicom.is_deep or (dicom.window is not None and preprocess.stretch is None):
                    return None
                with _ROOM.taken(dicom.n_bytes):
                    return _values_of(dicom.values(), *(preprocess.stretch or dicom.full_range))
            image = _opened(io.BytesIO(content), kind, limit)
            if not _is_deep(image):
                return None
            with _ROOM.taken(_n_bytes(image, image.size, len(content), preprocess)):
                if _is_deep_colour(image):
                    return _values_of(_deep_colour(content, None), *(preprocess.stretch or (0.0, 65535.0)))
                _load(image)
                step = max(1, math.isqrt(image.width * image.height // _N_MEASURED))
                some = [
                    np.asarray(image.crop((0, y, image.width, y + 1)))[0, ::step] for y in range(0, image.height, step)
                ]
                values = np.concatenate(some)
                return _values_of(values, *(preprocess.stretch or (0.0, _ceiling(*_extremes(values), values.dtype))))
        except DecodeError:
            raise
        except Exception as error:  # damaged files raise nearly anything, SyntaxError included
            raise DecodeError(_reason(error, content, limit)) from error


def _values_of(values: npt.NDArray[Any], black: float, white: float) -> Values:
    step = max(1, values.size // _N_MEASURED)
    low, high = np.quantile(values.reshape(-1)[::step].astype(np.float64), (0.001, 0.999))
    return Values(float(low), float(high), black, white)


def max_pixels() -> int:
    """Return the most pixels that a photograph may have.

    Raises:
        UsageError: IMGCLS_MAX_PIXELS is set, and no whole number of pixels.
    """
    text = os.environ.get("IMGCLS_MAX_PIXELS", "").strip()
    if not text:
        return MAX_PIXELS
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 1 <= number <= _MOST_MAX_PIXELS or not number.is_integer():
        raise UsageError(
            f"IMGCLS_MAX_PIXELS is {text!r}, and has to be a whole number of pixels from 1 to {_MOST_MAX_PIXELS:,}, "
            f"such as {2 * MAX_PIXELS}. Without it a photograph may have {MAX_PIXELS:,}."
        )
    return int(number)


def depends_on_settings(reason: str) -> bool:
    """Return whether a file that was refused for a reason may be read once a setting, or what is installed, changes."""
    return any(words in reason for words in _OF_SETTINGS)


class _Room:
    """The memory that all threads of a process may take together while they decode."""

    def __init__(self, n_bytes: int) -> None:
        self._n_bytes = n_bytes
        self.empty()

    def empty(self) -> None:
        """Begin again: in the child of a fork, no thread goes on that held anything."""
        self._n_taken = 0
        self._changed = threading.Condition()
        self._own = threading.local()

    @contextmanager
    def taken(self, n_bytes: int) -> Iterator[None]:
        """Wait until so much is free, and hold it.

        Nobody waits while holding: what is taken inside counts as part of what the thread has, and what is more than
        there is at all is let in alone. So nothing can wait for ever.
        """
        if getattr(self._own, "holds", False):
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: not self._n_taken or self._n_taken + n_bytes <= self._n_bytes)
            self._n_taken += n_bytes
        self._own.holds = True
        try:
            yield
        finally:
            self._own.holds = False
            if n_bytes > _TRIMMED:
                _give_back_memory()
            with self._changed:
                self._n_taken -= n_bytes
                self._changed.notify_all()


@functools.cache
def _c_library() -> Any:
    return ctypes.CDLL(None)


def _give_back_memory() -> None:
    """Give what was freed back to the system: glibc keeps it for the thread that had it, for each of them."""
    with suppress(OSError, AttributeError):  # another C library
        _c_library().malloc_trim(0)


_ROOM = _Room(MOST_MEMORY)


def _after_fork() -> None:
    global _WARNINGS
    _WARNINGS = threading.Lock()  # another thread may have held it when the process was copied
    _ROOM.empty()


if hasattr(os, "register_at_fork"):  # where processes fork
    os.register_at_fork(after_in_child=_after_fork)


def room_to_read(path: Path) -> AbstractContextManager[None]:
    """Return what holds the memory for a file while it is read and decoded: a large one takes all of it."""
    with suppress(OSError, ValueError):  # whoever reads it says what is wrong
        if path.stat().st_size > _LARGE_FILE:
            return _ROOM.taken(MOST_MEMORY)
    return nullcontext()


def _n_bytes(image: Image.Image, full_size: tuple[int, int], n_file: int, preprocess: Preprocess) -> int:
    """Return about how much memory a photograph takes at most while it is decoded and made a square."""
    n_pixels = image.width * image.height
    n_each = _BYTES_PER_PIXEL.get(image.mode, 4) + _BYTES_OF_READER.get(image.format or "", 0)
    n_each += 1 if _is_deep(image) else 4  # brought upright and to 8 bits
    if image.info.get("progressive"):  # all coefficients are kept until the last scan, whatever is asked for
        n_file += full_size[0] * full_size[1] * 2 * len(image.getbands())
    if _is_deep_colour(image):
        n_each += 12
    narrow = min(preprocess.size_px * max(image.size) * 4, MOST_MEMORY // 4)
    return n_file + n_pixels * n_each + min(n_pixels, _PIECE_PX) * 16 + narrow


def read_shot(path: Path) -> tuple[str, datetime] | None:
    """Return which camera took a photograph, and when; None where its EXIF block does not say both or is rubbish."""
    with suppress(Exception), path.open("rb") as file, _without_warnings():
        exif = Image.open(file, formats=FORMATS).getexif()
        within = exif.get_ifd(_EXIF_BLOCK)
        taken = datetime.strptime(str(within.get(_EXIF_TAKEN, "")).strip("\0 "), "%Y:%m:%d %H:%M:%S")
        camera = [exif.get(_EXIF_MAKE), exif.get(_EXIF_MODEL), within.get(_EXIF_SERIAL)]
        return " ".join(str(text) for text in camera if text), taken
    return None


def read_photo(path: Path) -> bytes:
    """Read a file whole, without ever opening what is no regular file.

    Raises:
        DecodeError: It is missing, empty, too large, no regular file (a pipe would block for ever), or unreadable.
    """
    try:
        status = path.stat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES else b""
    except (OSError, ValueError) as error:
        raise DecodeError(_why_unreadable(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise DecodeError("not a regular file")
    if status.st_size > MAX_BYTES:
        raise DecodeError(f"file too large (more than {MAX_BYTES >> 20} MiB)")
    if not content:
        raise DecodeError("empty file")
    return content


def _why_unreadable(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "missing, or a link to nothing"
    if isinstance(error, PermissionError):
        return "permission denied"
    return f"cannot be read ({getattr(error, 'strerror', None) or error})"


def _opened(file: Any, kind: str, limit: int) -> Image.Image:
    """Open a file without decoding it, with Pillow or with what an extra brought.

    Raises:
        DecodeError: It needs an extra, or has too many pixels.
    """
    formats: tuple[str, ...] = FORMATS
    if kind == HEIC:
        _check_extra(HEIC)
        _register_heif()
        formats = (_HEIF,)
    with _without_warnings(any_size=limit > MAX_PIXELS):
        image = Image.open(file, formats=formats)
    if image.width * image.height > limit:
        raise DecodeError(_too_many_pixels(limit))
    return image


def _check_extra(kind: str) -> None:
    if not has_extra(kind):
        raise DecodeError(f"{kind}, which needs an extra: pip install 'imgcls[{kind.lower()}]'")


@functools.cache
def _register_heif() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith("I") or image.mode == "F" or _is_deep_colour(image)


def _is_deep_colour(image: Image.Image) -> bool:
    """Whether a file has colours, or gray with transparency, of 16 bits, of which Pillow keeps the upper 8."""
    if image.format not in ("PNG", "TIFF") or image.mode not in ("RGB", "RGBA", "LA", "RGBX"):
        return False
    if image.format == "TIFF":
        return 16 in cast(Any, image).tag_v2.get(258, ())
    return any(";16" in str(tile) for tile in cast(Any, image).tile)


def _deep_colour(content: bytes, stretch: tuple[float, float] | None) -> Any:
    """Read colours of 16 bits: as an RGB image of what a stretch makes of them, or as they are, uint16 [h, w, c]."""
    import cv2  # Pillow has no mode for them

    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        raise DecodeError("damaged (colours of 16 bits that cannot be read)")
    if stretch is None:
        return values[..., :3]
    pixels = _table(stretch)[values[..., 2::-1]]
    if values.shape[2] == 4:
        alpha = values[..., 3:].astype(np.float32) / 65535
        for row in range(len(pixels)):
            pixels[row] = np.rint(pixels[row] * alpha[row] + 255 * (1 - alpha[row])).astype(np.uint8)
    return Image.fromarray(pixels)


def _orientation(image: Image.Image, *, is_loaded: bool = False) -> int:
    """Return the EXIF orientation; rubbish in the EXIF block counts as none."""
    if image.format == "PNG" and "exif" not in image.info and not is_loaded:
        return 1  # Pillow would decode the pixels to look behind them
    with suppress(Exception), _without_warnings() if is_loaded else nullcontext():
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
        return int(value) if value in range(1, 9) else 1
    return 1


def _upright(image: Image.Image, orientation: int, stretch: tuple[float, float] | None) -> Image.Image:
    """Return a decoded photograph upright, gray or RGB of 8 bits; never copied whole into any mode between."""
    if orientation == 1 and image.mode in ("L", "RGB") and not image.has_transparency_data:
        return image
    convert = _conversion(image, stretch)
    turn = _TURNS.get(orientation)

    def piece(box: tuple[int, int, int, int]) -> Image.Image:
        converted = convert(image if box == (0, 0, *image.size) else image.crop(box))
        return converted if turn is None else converted.transpose(turn)

    boxes = list(_boxes(*image.size))
    if len(boxes) == 1:
        return piece(boxes[0])
    size = image.size[::-1] if orientation > 4 else image.size
    whole: Image.Image | None = None
    for box in boxes:
        part = piece(box)
        whole = whole or Image.new(part.mode, size)
        whole.paste(part, _turned(box, image.size, orientation))
    return cast(Image.Image, whole)


def _turned(box: tuple[int, int, int, int], size: tuple[int, int], orientation: int) -> tuple[int, int, int, int]:
    """Return where a box of a picture lies once that is turned upright."""
    (x0, y0, x1, y1), (width, height) = box, size
    if orientation in (2, 3, 7, 8):
        x0, x1 = width - x1, width - x0
    if orientation in (3, 4, 6, 7):
        y0, y1 = height - y1, height - y0
    return (y0, x0, y1, x1) if orientation > 4 else (x0, y0, x1, y1)


def _boxes(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """Divide a picture into boxes of at most `_PIECE_PX` pixels: whole rows where a row is not longer than that."""
    across, down = min(width, _PIECE_PX), max(1, _PIECE_PX // width)
    for y in range(0, height, down):
        for x in range(0, width, across):
            yield x, y, min(width, x + across), min(height, y + down)


def _conversion(image: Image.Image, stretch: tuple[float, float] | None) -> Callable[[Image.Image], Image.Image]:
    """Return what makes a piece of a photograph 8 bits of gray or RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        return _to_gray(image, stretch)
    if image.has_transparency_data:
        return _on_white
    return lambda piece: piece if piece.mode in ("L", "RGB") else piece.convert("RGB")


def _on_white(piece: Image.Image) -> Image.Image:
    visible = piece.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", visible.size, _WHITE), visible).convert("RGB")


def _to_gray(image: Image.Image, stretch: tuple[float, float] | None) -> Callable[[Image.Image], Image.Image]:
    """Return what makes whole numbers or floats 8 bits.

    Raises:
        DecodeError: There is no telling which of its values are black and white, or some are no numbers.
    """
    if image.mode.startswith("I;16"):
        table = _table(stretch or (0.0, 65535.0))
        return lambda piece: Image.fromarray(table[np.asarray(piece)])
    boxes = _boxes(*image.size)
    extremes = np.array([_extremes(np.asarray(image.crop(box))) for box in boxes])
    low, high = float(extremes[:, 0].min()), float(extremes[:, 1].max())
    if stretch is not None and math.isnan(low + high):
        raise DecodeError("values that are no numbers")
    black, white = stretch or (0.0, _ceiling(low, high, np.dtype(np.float32 if image.mode == "F" else np.int32)))
    return lambda piece: Image.fromarray(_to_eight_bits(np.asarray(piece), black, white))


def _extremes(values: npt.NDArray[Any]) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _ceiling(low: float, high: float, dtype: np.dtype[Any]) -> float:
    """Return the value that is white where the data do not say: the first usual one that holds them all."""
    ceilings = (1.0, 255.0, 65535.0) if np.issubdtype(dtype, np.floating) else (65535.0,)
    ceiling = next((ceiling for ceiling in ceilings if low >= 0 and high <= ceiling), None)
    if ceiling is None:
        raise DecodeError(
            f"values from {low:g} to {high:g}, outside 0 to 65535; --stretch LOW:HIGH says what they mean"
        )
    return ceiling


@functools.lru_cache(maxsize=8)
def _table(stretch: tuple[float, float]) -> Pixels:
    """Return what becomes of every value of 16 bits, uint8 [65536]."""
    return _to_eight_bits(np.arange(65536), *stretch)


def _to_eight_bits(values: npt.NDArray[Any], black: float, white: float) -> Pixels:
    scaled = values.astype(np.float64)
    if black:
        scaled -= black
    scaled *= 255.0 / (white - black)
    return np.rint(np.clip(scaled, 0.0, 255.0, out=scaled), out=scaled).astype(np.uint8)


@dataclass(frozen=True)
class _Dicom:
    """A DICOM file of one picture, and how its values become 8 bits.

    Values are rescaled as the file says (slope and intercept). Black and white are those of the data's own stretch
    where there is one, else of the first window of the file, else the ends of what its stored bits can hold.
    MONOCHROME1, whose lowest value is white, is inverted. Colours are taken as they are.
    """

    dataset: Any
    """What pydicom read."""

    @classmethod
    def of(cls, file: Any, *, pixels: bool = True, limit: int | None = None) -> _Dicom:
        """Read a file.

        Args:
            file: Open for reading bytes.
            pixels: Whether they are read, and not only what is said of them.
            limit: The most pixels it may have.

        Raises:
            DecodeError: It needs an extra, or is no single picture.
        """
        _check_extra(DICOM)
        import pydicom

        if _DEFLATED in file.read(4096):  # pydicom would inflate it whole, however large that is
            raise DecodeError("a deflated DICOM, which is not read; save it uncompressed")
        file.seek(0)
        with _without_warnings():
            dataset = pydicom.dcmread(file, stop_before_pixels=not pixels)
        n_frames = int(dataset.get("NumberOfFrames") or 1)
        if n_frames > 1:
            raise DecodeError(f"a DICOM of {n_frames} pictures, not one; save the one that is meant by itself")
        if not dataset.get("Rows") or not dataset.get("Columns"):
            raise DecodeError("a DICOM without a picture")
        if limit is not None and dataset.Rows * dataset.Columns > limit:
            raise DecodeError(_too_many_pixels(limit))
        return cls(dataset)

    @property
    def mode(self) -> str:
        """Its kind of pixels, and for gray what makes them 8 bits; at most 12 letters, as measures keep them."""
        kind = str(self.dataset.get("PhotometricInterpretation", "MONOCHROME2"))
        if not kind.startswith("MONOCHROME"):
            return kind[:12]
        return f"MONO{kind[-1]} {'full' if self.window is None else 'window'}"

    @property
    def is_gray(self) -> bool:
        """Whether it is one of gray values."""
        return self.mode.startswith("MONO")

    @property
    def is_deep(self) -> bool:
        """Whether it is gray of more than 8 bits."""
        return self.is_gray and int(self.dataset.get("BitsStored", 16)) > 8

    @property
    def n_bytes(self) -> int:
        """About how much memory it takes at most while it is decoded."""
        n_values = self.dataset.Rows * self.dataset.Columns * int(self.dataset.get("SamplesPerPixel", 1))
        return n_values * (3 * int(self.dataset.get("BitsAllocated", 16)) // 8 + 1) + _PIECE_PX * 32

    @property
    def window(self) -> tuple[float, float, str] | None:
        """Centre, width and function of its first window; None where it has none that makes sense."""
        named = [self.dataset.get(f"Window{name}") for name in ("Center", "Width")]
        first = [float(np.atleast_1d(value)[0]) for value in named if value is not None and np.size(value)]
        if len(first) < 2 or not first[1] > 0:
            return None
        return first[0], first[1], str(self.dataset.get("VOILUTFunction") or "LINEAR")

    @property
    def rescale(self) -> tuple[float, float]:
        """Slope and intercept."""
        slope, intercept = self.dataset.get("RescaleSlope"), self.dataset.get("RescaleIntercept")
        return float(1 if slope is None else slope) or 1.0, float(intercept or 0)

    @property
    def full_range(self) -> tuple[float, float]:
        """What its stored bits can hold, rescaled."""
        bits, slope, intercept = int(self.dataset.get("BitsStored", 16)), *self.rescale
        low = -(1 << (bits - 1)) if self.dataset.get("PixelRepresentation") else 0
        ends = (low * slope + intercept, (low + (1 << bits) - 1) * slope + intercept)
        return min(ends), max(ends)

    def stored(self) -> npt.NDArray[Any]:
        """Return the values as they are stored, decompressed, [h, w] or [h, w, 3].

        Raises:
            DecodeError: They cannot be decompressed by what is installed.
        """
        with _without_warnings():
            try:
                return np.asarray(self.dataset.pixel_array)
            except RuntimeError as error:
                if "missing dependencies" not in str(error):
                    raise
                kind = self.dataset.file_meta.TransferSyntaxUID.name
                raise DecodeError(
                    f"DICOM compressed as {kind}, needs an extra: pip install 'pylibjpeg[all]'"
                ) from error

    def values(self) -> npt.NDArray[np.float64]:
        """Return some of its values, rescaled, evenly spread."""
        stored = self.stored()
        step = max(1, math.isqrt(stored.size // _N_MEASURED))
        slope, intercept = self.rescale
        return stored[::step, ::step].astype(np.float64) * slope + intercept

    def picture(self, stretch: tuple[float, float] | None) -> Image.Image:
        """Return it as 8 bits, gray or RGB."""
        stored = self.stored()
        if not self.is_gray:
            if str(self.dataset.PhotometricInterpretation) == "PALETTE COLOR":
                from pydicom.pixels import apply_color_lut

                stored = apply_color_lut(stored, self.dataset)
            ends = (0.0, 255.0) if stored.dtype == np.uint8 else (0.0, float((1 << 8 * stored.dtype.itemsize) - 1))
            return Image.fromarray(stored if stored.dtype == np.uint8 else _to_eight_bits(stored, *ends))
        (slope, intercept), window = self.rescale, None if stretch else self.window
        gray = np.empty(stored.shape, dtype=np.uint8)
        for left, top, right, bottom in _boxes(stored.shape[1], stored.shape[0]):
            values = stored[top:bottom, left:right].astype(np.float64) * slope + intercept
            gray[top:bottom, left:right] = self._windowed(values, stretch, window)
        if str(self.dataset.get("PhotometricInterpretation")) == "MONOCHROME1":
            np.subtract(255, gray, out=gray)
        return Image.fromarray(gray)

    def _windowed(
        self,
        values: npt.NDArray[np.float64],
        stretch: tuple[float, float] | None,
        window: tuple[float, float, str] | None,
    ) -> Pixels:
        """Return gray values. Source: DICOM PS3.3, C.11.2.1.2 and C.11.2.1.3."""
        if window is None:
            return _to_eight_bits(values, *(stretch or self.full_range))
        centre, width, function = window
        if function == "SIGMOID":
            return _to_eight_bits(1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -50, 50))), 0.0, 1.0)
        if function == "LINEAR_EXACT":
            return _to_eight_bits(values, centre - width / 2, centre + width / 2)
        half = max(width - 1, 1e-6) / 2
        return _to_eight_bits(values, centre - 0.5 - half, centre - 0.5 + half)


def _decoded_dicom(content: bytes, preprocess: Preprocess, limit: int) -> Decoded:
    n_bytes = len(content) + _Dicom.of(io.BytesIO(content), pixels=False, limit=limit).n_bytes
    with _ROOM.taken(n_bytes):
        return _square_of_dicom(content, preprocess)


def _square_of_dicom(content: bytes, preprocess: Preprocess) -> Decoded:
    image = _Dicom.of(io.BytesIO(content)).picture(preprocess.stretch)
    return Decoded(_fit(image, preprocess), *image.size)


def _fit(image: Image.Image, preprocess: Preprocess) -> Pixels:
    """Make a square of a photograph, gray or RGB.

    Gray is made RGB afterwards, which gives the same pixels: Pillow resizes each band by itself.
    """
    side = preprocess.size_px
    if preprocess.resize == "pad":
        return _padded(image, preprocess)
    if preprocess.resize == "crop":
        length = min(image.size)
        left, top = ((edge - length) * 0.5 for edge in image.size)
        return np.array(_resized(image, (side, side), (left, top, left + length, top + length)))
    return np.array(_resized(image, (side, side), (0, 0, *image.size)))


def _padded(image: Image.Image, preprocess: Preprocess) -> Pixels:
    side = preprocess.size_px
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    pixels = np.asarray(_resized(image, (width, height), (0, 0, *image.size)))
    left, top = (side - width) // 2, (side - height) // 2
    borders = ((top, side - height - top), (left, side - width - left), (0, 0))
    return np.ascontiguousarray(np.pad(pixels, borders, mode=preprocess.pad_mode))


def _resized(image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> Image.Image:
    """Return a part of a gray or RGB photograph as RGB of another size, antialiased."""
    left, top, right, bottom = box
    if size[0] * image.height * 4 > MOST_MEMORY:
        # a thread of a picture, some pixels wide and millions tall: made narrow (wider) first, as some versions of
        # Pillow do, it alone would fill the memory
        image = image.resize((image.width, size[1]), Image.Resampling.BICUBIC, (0, top, image.width, bottom))
        top, bottom = 0, size[1]
    resized = image.resize(size, Image.Resampling.BICUBIC, (left, top, right, bottom))
    return resized if resized.mode == "RGB" else resized.convert("RGB")


def _reason(error: Exception, content: bytes, limit: int) -> str:
    text = str(error).lower()
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return _too_many_pixels(limit)
    if isinstance(error, UnidentifiedImageError):
        if content.startswith(_SIGNATURES):
            return "damaged (an image by its first bytes, but its header makes no sense)"
        start = content[:64].lstrip().lower()
        return next((reason for magic, reason in _NOT_IMAGES.items() if start.startswith(magic)), "not an image")
    if isinstance(error, MemoryError):
        return "not enough memory"
    if "truncated" in text or "end of file" in text or _is_short_of_its_size(content):
        return "truncated"
    return _damaged(error)


def _damaged(error: Exception) -> str:
    """Return the reason in a few words, whatever of the file a reader quotes in its own."""
    text = " ".join(str(error).split())
    cut = "…" if len(text) > _MOST_SAID else ""
    return f"damaged ({text[:_MOST_SAID] + cut or type(error).__name__})"


def _is_short_of_its_size(content: bytes) -> bool:
    """Whether a WebP file is shorter than its header says, which Pillow does not tell from other damage."""
    return content[:4] == b"RIFF" and len(content) < 8 + int.from_bytes(content[4:8], "little")


def _too_many_pixels(limit: int) -> str:
    return f"too many pixels (more than {limit:,}; IMGCLS_MAX_PIXELS sets the limit)"


@contextmanager
def _without_warnings(*, any_size: bool = False) -> Iterator[None]:
    """Silence Pillow's remarks on odd headers, which must neither reach the user nor become errors.

    The filters of `warnings` belong to the process, so one thread at a time may swap them; only
    headers are read inside, and the decoding itself stays parallel.

    Args:
        any_size: Whether Pillow's own limit of pixels is lifted as well, where a person asked for a higher one.
    """
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit = Image.MAX_IMAGE_PIXELS
        if any_size:
            Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
