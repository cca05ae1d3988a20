"""What a file holds, by its name."""

import posixpath

__all__ = ["is_image", "is_sound", "is_unread", "is_video"]

_EXTENSIONS = frozenset(".png .jpg .jpeg .jpe .jfif .bmp .gif .webp .tif .tiff .ppm .pgm .pbm .pnm .jp2 .avif".split())
_SOUNDS = frozenset(".wav .flac .ogg .mp3 .aif .aiff".split())
_VIDEOS = frozenset(".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .ogv .flv .wmv .asf .3gp".split())
_UNREAD = frozenset(".heic .heif .jxl .svg .psd .dng .nef .cr2 .cr3 .arw .orf .raf .rw2 .dcm .exr .hdr".split())


def is_image(path: str) -> bool:
    """True for image files; hidden ones (macOS archives hold ._name.png) and those in hidden folders are not."""
    return _is_of(path, _EXTENSIONS)


def is_unread(path: str) -> bool:
    """True for pictures of a format that is not read, such as a phone's .heic."""
    return _is_of(path, _UNREAD)


def is_sound(path: str) -> bool:
    """True for sound files, by the rules of pictures."""
    return _is_of(path, _SOUNDS)


def is_video(path: str) -> bool:
    """True for video files, by the rules of pictures."""
    return _is_of(path, _VIDEOS)


def _is_of(path: str, extensions: frozenset[str]) -> bool:
    if posixpath.splitext(path)[1].lower() not in extensions:
        return False
    return not any(part.startswith(".") and part not in (".", "..") for part in path.split("/"))
