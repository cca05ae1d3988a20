"""Images in tar archives, without unpacking them."""

from jssl.data.files.archive import inside, read
from jssl.data.files.splits import arrange, ignored
from jssl.data.images.encoded import EncodedSource

__all__ = ["TarSource"]


class TarSource(EncodedSource):
    """Images of one or more archives, in archive order.

    Plain archives are indexed and read on demand; compressed ones have no random access, so their encoded bytes are
    kept in memory. Symbolic and hard links in an archive are followed.

    Classes and splits come from the names of the members, see `jssl.data.files.splits.arrange`, and

    - in WebDataset shards from the .cls member of the same key, or from "label", "class" or "cls" in its .json;
    - several archives stand for folders where they are called by splits (train.tar, test.tar), and where no member is in
      a folder (cat.tar, dog.tar), unless they are numbered one after the other, as shards are (a-0.tar, a-1.tar).

    Args:
      pattern: paths or globs, separated by commas.
      split: "train", "test" or "all".
      image_size: side of the square canvas; see `EncodedSource` for what holds without it.
      limit: at most so many examples, evenly from the classes.
      holdout: part of each class that is "test" where nothing says so.
      on_error: "raise" or "skip", see `EncodedSource`.

    Raises:
      ValueError: if nothing matches, an archive is broken or holds no images.
    """

    OPTIONS = {"image_size": int, "limit": int, "holdout": (int, float), "on_error": str}

    def __init__(self, pattern, split="train", *, image_size=None, limit=None, holdout=0.1, on_error="raise"):
        held = inside(pattern)
        if not held.names:
            raise ValueError(f"no image in {', '.join(held.paths)}; expected members such as train/cat/1.png")
        found = arrange(held.names, [member.label for member in held.members], holdout=holdout, title=f"tar:{pattern}")
        chosen, labels, class_names = found.select(split, limit)
        self._paths = [held.paths[i] for i in chosen]
        self._places = [held.members[i].place for i in chosen]
        names = [held.names[i] for i in chosen]
        super().__init__(names, labels, class_names, image_size=image_size, on_error=on_error)
        self.summary = found.summary(split)
        if held.lost:
            self.summary += ", " + ignored("dead link", held.lost)

    def name(self, index):
        """Member and archive."""
        return f"{self.names[index]} in {self._paths[index]}"

    def read(self, index):
        """The encoded bytes of an example."""
        return read(self._places[index])
