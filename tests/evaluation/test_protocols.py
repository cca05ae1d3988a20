"""Encoder, random encoder and raw input side by side; the raw inputs themselves."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hand_made import Arrays, Readout

from jssl.data.source import About
from jssl.evaluation import PROTOCOLS, Encoder, Raw, baselines, check, evaluate, few_labels
from jssl.models.features import Features


def through(features, labels, classes=None):
    """A source whose examples are their features, under the name of a sound."""
    about = About(class_names=tuple(map(str, range(classes or 1 + max(labels)))))
    return Arrays(about, audio=np.asarray(features, np.float32), label=np.asarray(labels, np.int32))


AS_IT_IS = {"audio": Readout(lambda example: example["audio"], lambda params, extra, x: Features(x))}


def subject(train, test, **options):
    return Encoder(AS_IT_IS, ((), {}), {"train": through(*train), "test": through(*test)}, **options)


def test_good_features_beat_noise_and_the_table_has_every_figure():
    rng = np.random.default_rng(0)
    y, test_y = rng.integers(0, 3, 120), rng.integers(0, 3, 100)
    good = lambda labels: np.eye(5)[labels] + 0.1 * rng.normal(size=(len(labels), 5))  # noqa: E731
    subjects = {
        "encoder": subject((good(y), y), (good(test_y), test_y)),
        "random": subject((rng.normal(size=(120, 5)), y), (rng.normal(size=(100, 5)), test_y)),
    }
    results = evaluate(subjects, protocols=("knn", "linear", "collapse"))
    assert list(results) == ["encoder", "random"]
    assert results["encoder"]["knn"] == results["encoder"]["linear"] == 1.0
    assert max(results["random"]["knn"], results["random"]["linear"]) < 0.6
    assert results["encoder"].keys() == results["random"].keys() >= {"linear_train", "linear_l2", "rankme"}
    assert all(isinstance(value, float) for row in results.values() for value in row.values())
    assert results["random"]["rankme"] > 4.5 > 4 > results["encoder"]["rankme"]


def test_only_the_protocols_asked_for_run():
    x, y = np.eye(2), np.array([0, 1])
    wide = np.eye(2, 9)  # features of several widths go side by side
    subjects = {"encoder": subject((x, y), (x, y)), "raw": subject((wide, y), (wide, y))}
    assert evaluate(subjects, protocols=("knn",)) == {"encoder": {"knn": 1.0}, "raw": {"knn": 1.0}}
    assert evaluate(subjects, protocols=" knn ,knn") == {"encoder": {"knn": 1.0}, "raw": {"knn": 1.0}}


def test_another_field_than_the_label_is_told_from_the_features():
    label, speaker = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    about = About(class_names=("zero", "one"), speakers=("ann", "bob", "eve"))
    x = np.stack([np.ones(4), 2.0 * speaker - 1], 1).astype(np.float32)  # who speaks, and nothing of what is said
    source = Arrays(about, audio=x, label=label.astype(np.int32), speaker=speaker.astype(np.int32))
    both = {"encoder": Encoder(AS_IT_IS, ((), {}), {"train": source, "test": source})}
    found = evaluate(both, protocols="knn:k=1,knn:k=1,target=speaker,few_labels:n=2,seeds=2,target=speaker")["encoder"]
    assert found["knn_1[target=speaker]"] == found["few_labels_2[target=speaker]"] == 1.0 > found["knn_1"]
    assert found["few_labels_2[target=speaker]_ci95"] == 0.0
    with pytest.raises(ValueError, match="linear needs speakers; the data has none"):
        check("linear:target=speaker", spec=through(x, label).spec)


def test_a_tiny_set_is_evaluated():
    x, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
    results = evaluate({"encoder": subject((x, y), (x, y))})
    assert results["encoder"]["linear"] == 1.0


def test_an_unknown_protocol_is_named():
    with pytest.raises(ValueError, match=f"no protocol 'lienar'; there are {', '.join(PROTOCOLS)}$"):
        evaluate({}, protocols=("lienar",))
    assert check(" knn, linear ,knn") == check(["linear ", "knn"])[::-1] == ["knn", "linear"]
    with pytest.raises(ValueError, match="no protocol ''"):
        check("knn,")


@pytest.mark.parametrize(
    ("protocols", "message"),
    [
        ("knn:kk=5", "the protocol knn has no option 'kk'; did you mean 'k'"),
        ("collapse:k=5", "the protocol collapse has no option 'k'; it has none"),
        ("knn:k=five", r"option k=five of the protocol knn: expected the like of 20"),
        ("knn:k", "the option 'k' of the protocol knn has no value"),
        ("linear:standardise=1", "option standardise=1 of the protocol linear: expected the like of True"),
        ("linear:features=last0", "linear:features=last0: use audio, pooled, token, mean, last<n>"),
    ],
)
def test_a_wrong_option_is_said_in_one_line(protocols, message):
    with pytest.raises(ValueError, match=message):
        check(protocols, SimpleNamespace(name="x", readouts={"audio": None}))


def blobs(seed=0, train=120, test=100, spread=0.1):
    rng = np.random.default_rng(seed)
    y, test_y = rng.integers(0, 3, train), rng.integers(0, 3, test)
    near = lambda labels: np.eye(5)[labels] + spread * rng.normal(size=(len(labels), 5))  # noqa: E731
    return (near(y), y), (near(test_y), test_y)


def test_options_reach_the_protocol_and_name_its_figures():
    one = {"encoder": subject(*blobs(spread=1.0))}
    row = evaluate(one, protocols="knn:k=1+20&temperature=0.5,linear:solver=sgd,epochs=5,seeds=3,linear")["encoder"]
    assert {"knn_1[temperature=0.5]", "knn[temperature=0.5]", "linear"} <= set(row)
    assert row["linear[solver=sgd,epochs=5]"] > 0.5 < row["linear"]
    assert 0 < row["linear[solver=sgd,epochs=5]_ci95"] < 0.2
    assert row["knn_1[temperature=0.5]"] != row["knn[temperature=0.5]"]


def test_few_labels_are_drawn_several_times():
    found = evaluate({"x": subject(*blobs(spread=0.6))}, protocols="few_labels:n=1+100%,seeds=3,linear")["x"]
    assert found["few_labels_100%"] == pytest.approx(found["linear"], abs=0.02) and found["few_labels_1_ci95"] > 0
    assert 1 / 3 < found["few_labels_1"] < found["few_labels_100%"]
    rows = few_labels.choose(np.array([0] * 10 + [1] * 1000), "1%", seed=0)
    assert len(rows) == 11 and (rows >= 10).sum() == 10
    with pytest.raises(ValueError, match="n=ten is no number of labels"):
        evaluate({"x": subject(*blobs())}, protocols="few_labels:n=ten")


def test_which_features_is_an_option_and_a_method_has_its_own():
    """Two halves of the columns: the pooled ones say nothing, the tokens tell the class."""
    (x, y), (test_x, test_y) = blobs()
    readout = Readout(
        lambda example: example["audio"], lambda params, extra, x: Features(jnp.zeros_like(x), x[:, None])
    )

    def one(**options):
        sources = {"train": through(x, y), "test": through(test_x, test_y)}
        return {"x": Encoder({"audio": readout}, ((), {}), sources, **options)}

    assert evaluate(one(), protocols="knn")["x"]["knn"] < 0.6
    assert evaluate(one(), protocols="knn:features=mean")["x"]["knn[features=mean]"] == 1.0
    assert evaluate(one(), protocols="knn:features=pooled+mean")["x"]["knn[features=pooled+mean]"] == 1.0
    assert evaluate(one(reads={"knn": "mean"}), protocols="knn,linear")["x"]["knn"] == 1.0
    assert evaluate(one(reads={"knn": "mean"}), protocols="knn:features=pooled")["x"]["knn[features=pooled]"] < 0.6
    with pytest.raises(ValueError, match="features=last2: this readout has no blocks to read"):
        evaluate(one(), protocols="knn:features=last2")
    with pytest.raises(ValueError, match="features=token: this encoder has no class token"):
        evaluate(one(), protocols="knn:features=token")


def test_a_linear_probe_of_random_views_holds_an_example_out_with_all_its_views():
    prepare = SimpleNamespace(augment=lambda key, example: example["audio"] + 0.1 * jax.random.normal(key, (5,)))

    class Prepare:
        augment = staticmethod(prepare.augment)

        def __call__(self, example):
            return example["audio"]

    (x, y), (test_x, test_y) = blobs(train=40)
    readout = Readout(Prepare(), lambda params, extra, x: Features(x))
    sources = {"train": through(x, y), "test": through(test_x, test_y)}
    encoder = Encoder({"audio": readout}, ((), {}), sources, batch_size=16)
    features, labels, index = encoder.augmented("label", views=3, seed=0)
    assert features.shape == (120, 5) and (labels == np.tile(y, 3)).all() and (index == np.tile(range(40), 3)).all()
    views = features.reshape(3, 40, 5)
    np.testing.assert_allclose(
        views.mean(0), x, atol=0.3
    )  # the noise has deviation 0.06 in a mean of three; examples lie wider
    assert (
        np.abs(views[0] - views[1]).min(1).max() > 0
        and (encoder.augmented("label", views=3, seed=0)[0] == features).all()
    )
    assert (encoder.augmented("label", views=3, seed=1)[0] != features).any()
    found = evaluate({"x": encoder}, protocols="linear:views=3,linear:solver=sgd,views=2,epochs=40")["x"]
    assert found["linear[views=3]"] == found["linear[solver=sgd,views=2,epochs=40]"] == 1.0
    with pytest.raises(ValueError, match="views=2: the encoder has no random crops"):
        evaluate({"x": subject((x, y), (test_x, test_y))}, protocols="linear:views=2")


@pytest.mark.parametrize(
    ("names", "readouts", "fields", "message"),
    [
        ("collapse, knn", ["image"], ["image"], "knn needs labels; folder:x has none"),
        ("linear", ["image"], ["image"], "linear needs labels; folder:x has none"),
        ("zero_shot", ["image"], ["image", "label"], "zero_shot needs the readouts image and text; simclr has image"),
        ("zero_shot", ["image", "text"], ["image"], "zero_shot needs labels; folder:x has none"),
        ("retrieval", ["image", "text"], ["image", "label"], "retrieval needs captions; folder:x has none"),
        (
            "retrieval",
            ["text"],
            ["captions"],
            "retrieval needs the readouts image and text, or video and audio; simclr has text",
        ),
    ],
)
def test_what_is_missing_is_said_in_one_line(names, readouts, fields, message):
    method = SimpleNamespace(name="simclr", readouts=dict.fromkeys(readouts))
    with pytest.raises(ValueError, match=f"^{message}$"):
        check(names, method, dict.fromkeys(fields), data="folder:x")


def test_what_is_there_passes():
    method = SimpleNamespace(name="clip", readouts=dict.fromkeys(["image", "text", "flow"]))
    assert check(list(PROTOCOLS), method, dict.fromkeys(["label", "captions", "flow"])) == list(PROTOCOLS)
    assert check(("collapse",), SimpleNamespace(name="gpt", readouts={"text": None}), {}) == ["collapse"]


def test_evaluate_refuses_what_no_subject_can_do():
    x, y = np.eye(2), np.array([0, 1])
    one = subject((x, y), (x, y), name="wav2vec2")
    with pytest.raises(ValueError, match="zero_shot needs the readouts image and text; wav2vec2 has audio"):
        evaluate({"encoder": one}, protocols="zero_shot")
    unlabelled = Arrays(audio=np.eye(2, dtype=np.float32))
    with pytest.raises(ValueError, match="knn needs labels; the data has none"):
        evaluate({"encoder": Encoder(AS_IT_IS, ((), {}), {"train": unlabelled, "test": unlabelled})}, protocols="knn")


def test_labels_of_other_classes_are_refused():
    train, test = through(np.eye(3), [0, 1, 2]), through(np.eye(3), [0, 1, 1])
    with pytest.raises(ValueError, match=r"other classes: 0, 1, 2 \(3\); 0, 1 \(2\)"):
        evaluate({"encoder": Encoder(AS_IT_IS, ((), {}), {"train": train, "test": test})}, protocols="knn")


def test_the_raw_input_has_one_kind_of_features_whatever_readout_is_asked_for():
    image, label = np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, 0, 1])
    image[label == 1, :4] = 200
    source = Arrays(image=image, label=label)
    flat = Readout(
        lambda example: example["image"].reshape(-1).astype(np.float32), lambda params, extra, x: Features(x)
    )
    sources = {"train": source, "test": source}
    both = {"encoder": Encoder({"image": flat, "projector": flat}, ((), {}), sources), "raw": Raw(sources)}
    found = evaluate(both, protocols="knn:k=2,features=projector")
    assert found["encoder"] == found["raw"] == {"knn_2[features=projector]": 1.0}


def test_labels_need_no_names():
    sources = {split: Arrays(audio=np.eye(3, dtype=np.float32), label=np.arange(3)) for split in ("train", "test")}
    assert evaluate({"e": Encoder(AS_IT_IS, ((), {}), sources)}, protocols="knn") == {"e": {"knn": 1.0}}


@pytest.mark.parametrize("shape", [(32, 32), (64, 64), (96, 72), (70, 33)])
def test_pixels_are_block_averages_centred_by_the_training_mean(shape):
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 256, (n, *shape, 3), np.uint8) for n in (5, 3))
    features = baselines.pixels(Arrays(image=train), Arrays(image=test), size=32)
    block = -(-max(shape) // 32)
    rows, columns = (side // block for side in shape)
    top, left = ((side - n * block) // 2 for side, n in zip(shape, (rows, columns)))

    def average(image, i, j):
        y, x = top + i * block, left + j * block
        return image[y : y + block, x : x + block].mean((0, 1)) / 255

    expected = [np.array([[average(im, i, j) for j in range(columns)] for i in range(rows)]).ravel() for im in train]
    np.testing.assert_allclose(features[0], expected - np.mean(expected, 0), atol=1e-5)
    assert features[1].shape == (3, rows * columns * 3) and features[1].dtype == np.float32
    first = np.array([[average(test[0], i, j) for j in range(columns)] for i in range(rows)]).ravel()
    np.testing.assert_allclose(features[1][0], first - np.mean(expected, 0), atol=1e-5)


def test_float_images_are_taken_as_they_are():
    image = np.random.default_rng(0).random((3, 4, 4, 3), np.float32)
    bytes_ = np.round(255 * image).astype(np.uint8)
    for a, b in zip(*(baselines.pixels(Arrays(image=x), Arrays(image=x)) for x in (image, bytes_))):
        np.testing.assert_allclose(a, b, atol=2 / 255)


def test_chunks_change_nothing():
    images = np.random.default_rng(0).integers(0, 256, (600, 4, 4, 3), np.uint8)  # more than are read at a time
    whole = baselines._shrink(images, 2)
    read = baselines.pixels(Arrays(image=images), Arrays(image=images[:1]), size=2)
    np.testing.assert_array_equal(read[0], whole - whole.mean(0, keepdims=True))


def test_images_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="of one size"):
        baselines.pixels(Arrays(image=np.zeros((1, 4, 4, 3))), Arrays(image=np.zeros((1, 5, 5, 3))))


def test_the_true_size_of_a_picture_changes_no_pixel():
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), np.uint8)
    sized = Arrays(image=images, size=np.arange(10, dtype=np.int32).reshape(5, 2))
    for a, b in zip(baselines.raw(sized, sized), baselines.pixels(Arrays(image=images), Arrays(image=images))):
        np.testing.assert_array_equal(a, b)


def words(tokens, segments=None):
    fields = {"tokens": np.asarray(tokens, np.int32)}
    return Arrays(**fields | ({} if segments is None else {"segments": np.asarray(segments, np.int32)}))


def test_a_bag_of_words_counts_real_tokens():
    train = words([[3, 3, 9, 0], [4, 0, 3, 3]], [[1, 1, 2, 0], [1, 1, 1, 0]])
    test = words([[9, 9, 9, 9], [7, 7, 0, 0]], [[1, 1, 1, 0], [1, 1, 1, 1]])  # 7 was never seen in training
    columns = {0: [0, 1], 3: [2, 1], 4: [0, 1], 9: [1, 0]}  # a token id of 0 with a segment is a token
    counts = np.log1p(np.array(list(columns.values()), float).T)
    features = baselines.bag_of_words(train, test)
    assert features[0].dtype == features[1].dtype == np.float32
    np.testing.assert_allclose(features[0], counts - counts.mean(0), atol=1e-6)
    np.testing.assert_allclose(features[1], np.log1p([[0, 0, 0, 3], [2, 0, 0, 0]]) - counts.mean(0), atol=1e-6)
    # Of 3 (three times) and 0, 4 and 9 (once each) the commonest, then the lowest.
    small = baselines.bag_of_words(train, test, size=2)
    np.testing.assert_allclose(small[0], (counts - counts.mean(0))[:, :2], atol=1e-6)


def test_without_segments_every_token_is_real():
    features, _ = baselines.bag_of_words(words([[0, 0], [5, 0]]), words([[5, 5]]))
    counts = np.log1p([[2, 0], [1, 1]])
    np.testing.assert_allclose(features, counts - counts.mean(0), atol=1e-6)


def test_captions_count_together_and_padding_does_not():
    train = Arrays(captions=np.array([[[5, 6, 0], [5, 0, 0]], [[0, 0, 0], [6, 6, 6]]], np.int32))
    counts = np.log1p([[2, 1], [0, 3]])
    np.testing.assert_allclose(baselines.raw(train, train)[0], counts - counts.mean(0), atol=1e-6)


@pytest.mark.slow
def test_bag_of_words_knows_texts_apart():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 40).astype(np.int32)
    tokens = (5 * label[:, None] + rng.integers(0, 7, (40, 30))).astype(np.int32)
    source = Arrays(About(class_names=("a", "b")), tokens=tokens, label=label)
    result = evaluate({"raw": Raw({"train": source, "test": source})}, protocols=("knn", "linear"))
    assert min(result["raw"]["knn"], result["raw"]["linear"]) > 0.95


def test_what_is_seen_comes_before_what_is_said():
    source = Arrays(captions=np.ones((2, 1, 3), np.int32), image=np.zeros((2, 2, 2, 3), np.uint8))
    assert baselines.raw(source, source)[0].shape == (2, 12)


def test_raw_inputs_that_are_not_known_are_refused():
    depth = Arrays(depth=np.zeros((2, 8), np.float32))
    with pytest.raises(ValueError, match="known for image, .*; the splits have depth"):
        baselines.raw(depth, depth)
    with pytest.raises(ValueError, match="tokens of the training split are padding alone"):
        baselines.bag_of_words(words([[1, 2]], [[0, 0]]), words([[1, 2]], [[1, 1]]))


def test_the_subject_of_a_protocol_is_jitted_once_for_all_checkpoints():
    traces = []

    def apply(params, extra, x):
        traces.append(0)
        return Features(params * x)

    readouts = {"audio": Readout(AS_IT_IS["audio"].prepare, apply)}
    x, y = np.eye(2), np.array([0, 1])
    sources = {"train": through(x, y), "test": through(x, y)}
    subjects = {str(scale): Encoder(readouts, (jnp.float32(scale), {}), sources) for scale in (1, 2)}
    assert all(row["knn"] == 1.0 for row in evaluate(subjects, protocols="knn").values())
    assert len(traces) == 1
