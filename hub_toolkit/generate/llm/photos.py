"""Photos that users ask about: only where a folder of images with captions is given."""

from __future__ import annotations

import base64
import json
import mimetypes
import random
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hub_toolkit.errors import DataFormatError
from hub_toolkit.generate.llm.config import LlmConfig
from hub_toolkit.types import Message

CAPTIONS = "captions.json"


@dataclass(frozen=True)
class Photo:
    """One image file and what it shows."""

    path: str
    caption: str


@lru_cache(maxsize=4)
def load_photos(folder: str) -> tuple[Photo, ...]:
    """Read the captions of a folder.

    Raises: DataFormatError: they are missing or no table of texts, or an image that they name is.
    """
    path = Path(folder) / CAPTIONS
    try:
        captions = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataFormatError(f"is no table of captions, file name to text: {error}", file=str(path)) from error
    if not isinstance(captions, dict) or not captions or not all(isinstance(text, str) for text in captions.values()):
        raise DataFormatError("must map file names to captions", file=str(path))
    missing = [name for name in captions if not (Path(folder) / name).is_file()]
    if missing:
        raise DataFormatError(f"names {missing[0]!r}, which is not there", file=str(path))
    return tuple(Photo(str(Path(folder) / name), " ".join(text.split())) for name, text in sorted(captions.items()))


def draw_photo(config: LlmConfig, rng: random.Random) -> Photo | None:
    """Draw a photo for a conversation; None for most, and always where no images are given."""
    if config.images is None or rng.random() >= config.shares.photo:
        return None
    return rng.choice(load_photos(config.images))


def caption_photo(messages: tuple[Message, ...], photo: Photo | None) -> tuple[Message, ...]:
    """Return the messages with the photo's caption below the first: so it reads where no image can be shown."""
    if photo is None:
        return messages
    return (Message("user", f"{messages[0].text}\n[photo: {photo.caption}]"), *messages[1:])


def show_photo(messages: tuple[Message, ...], image: str) -> tuple[Message, ...]:
    """Return captioned messages with the image instead of its caption, as the published histories hold it."""
    kind = mimetypes.guess_type(image)[0] or "image/jpeg"
    url = f"data:{kind};base64,{base64.b64encode(Path(image).read_bytes()).decode()}"
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": messages[0].text.rpartition("\n")[0]},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    return (Message("user", parts), *messages[1:])
