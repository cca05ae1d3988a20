from jssl.data.files.names import is_image
from jssl.data.files.readable import fingerprint


def test_images_are_known_by_their_name():
    assert all(map(is_image, ("a.png", "b/c.JPEG", "x.webp", "../a.png", "./b.png")))
    assert not any(
        map(is_image, ("a.txt", "png", "b/._c.jpg", "labels.csv", ".ipynb_checkpoints/a.png"))
    )  # ._: left behind by macOS


def test_fingerprint_sees_names_content_and_options():
    files = [b"one", b"two"]
    same = [fingerprint(["a", "b"], files, 32) for _ in range(2)]
    assert same[0] == same[1]
    others = {
        fingerprint(["a", "c"], files, 32),
        fingerprint(["a", "b"], files[::-1], 32),
        fingerprint(["a", "b"], files, 64),
    }
    assert len(others | set(same)) == 4
