"""Containers of pictures and sound, opened by FFmpeg."""

import contextlib
import io
from collections.abc import Iterator

import av

from jssl.data.files.archive import Place, read

__all__ = ["opened"]

# Of what FFmpeg opens, the containers that cameras and data sets have. A playlist would open other files on a file's word.
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,ogg,flv,asf,gif"


@contextlib.contextmanager
def opened(place: Place) -> Iterator[av.container.InputContainer]:
    """The container, open.

    Args:
      place: where the bytes of the file are.

    Raises:
      ValueError: if the bytes are not those of a container, or what is read of them is damaged.
      OSError: the file cannot be read.
    """
    whole_file = not isinstance(place, bytes) and place[1:] == (0, -1)
    with open(place[0], "rb") if whole_file else io.BytesIO(read(place)) as file:
        try:
            with av.open(file, "r", options={"format_whitelist": _CONTAINERS}) as container:
                yield container
        except (av.error.FFmpegError, EOFError, IndexError) as error:
            raise ValueError(f"not a whole video ({type(error).__name__}: {error})") from error
