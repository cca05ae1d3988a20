import itertools
import tarfile
import threading

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P
from pictures import picture
from unread import Unread

from jssl.data import ArraySource, GrainFeed, ResidentFeed, batch_indices, make_feed, open_source, stack

FEEDS = [ResidentFeed, GrainFeed]


def host(batch):
    return {name: np.asarray(array) for name, array in batch.items()}


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].dtype == b[name].dtype
        np.testing.assert_array_equal(np.asarray(a[name]), np.asarray(b[name]))


@pytest.mark.parametrize("kind", FEEDS)
def test_batches_hold_the_examples_of_the_order(kind, source, mesh):
    feed = kind(source, mesh, seed=5, global_batch=16)
    fields = stack(source)
    for step in (0, 3, 1000):  # 3 straddles the end of the first epoch of 50
        batch = feed.batch(step)
        index = batch_indices(5, step, 16, 50)
        np.testing.assert_array_equal(batch["index"], index)
        np.testing.assert_array_equal(batch["image"], fields["image"][index])
        np.testing.assert_array_equal(batch["label"], fields["label"][index])
        assert [batch[name].dtype for name in ("image", "label", "index")] == [np.uint8, np.int32, np.int32]
        for array in batch.values():
            assert array.sharding.is_equivalent_to(jax.NamedSharding(mesh, P(("data", "fsdp"))), array.ndim)
            assert {shard.data.shape[0] for shard in array.addressable_shards} == {2}


def test_resident_and_grain_agree(source, mesh):
    resident, grain = (kind(source, mesh, seed=1, global_batch=8) for kind in FEEDS)
    for step, (a, b) in enumerate(itertools.islice(zip(resident.iterate(2), grain.iterate(2)), 4), 2):
        assert_same(a, b)
        assert_same(a, resident.batch(step))
        assert_same(a, grain.batch(step))


@pytest.mark.parametrize("kind", FEEDS)
def test_a_resumed_run_sees_the_same_batches(kind, source, mesh):
    whole = [host(batch) for batch in itertools.islice(kind(source, mesh, seed=0, global_batch=8).iterate(), 10)]
    rest = [host(batch) for batch in itertools.islice(kind(source, mesh, seed=0, global_batch=8).iterate(6), 4)]
    for a, b in zip(whole[6:], rest, strict=True):
        assert_same(a, b)


@pytest.mark.parametrize("kind", FEEDS)
def test_devices_do_not_change_the_batch(kind, source):
    devices = jax.devices()
    batches = []
    for shape in ((1, 1), (2, 1), (2, 4), (1, 8)):
        mesh = jax.make_mesh(shape, ("data", "fsdp"), devices=devices[: shape[0] * shape[1]])
        batches.append(kind(source, mesh, seed=0, global_batch=16).batch(4))
    shuffled = jax.sharding.Mesh(np.asarray(devices)[[3, 1, 7, 5, 0, 2, 4, 6]].reshape(4, 2), ("data", "fsdp"))
    batches.append(kind(source, shuffled, seed=0, global_batch=16).batch(4))
    for batch in batches[1:]:
        assert_same(batches[0], batch)


@pytest.mark.parametrize("kind", FEEDS)
def test_batches_pass_the_transfer_guard(kind, source, mesh):
    feed = kind(source, mesh, seed=0, global_batch=8)
    use = jax.jit(lambda batch: sum(array.astype("float32").mean() for array in batch.values()))
    use(feed.batch(0))
    with jax.transfer_guard("disallow"):
        for batch in itertools.islice(feed.iterate(1), 3):
            result = use(batch)
        use(feed.batch(7))
    assert np.isfinite(result)


def test_resident_sends_indices_only(source, mesh, monkeypatch):
    feed = ResidentFeed(source, mesh, seed=0, global_batch=8)
    sent, put = [], jax.device_put
    monkeypatch.setattr(
        jax, "device_put", lambda x, *args, **kwargs: sent.append(np.asarray(x)) or put(x, *args, **kwargs)
    )
    for step in range(3):
        feed.batch(step)
    assert sum(x.nbytes for x in sent) == 3 * 8 * 4
    text = feed._gather.lower(feed._arrays, feed.batch(0)["index"]).compile().as_text()
    assert not any(word in text for word in ("all-gather", "all-reduce", "all-to-all", "collective-permute"))


def test_resident_compiles_once(source, mesh):
    feed = ResidentFeed(source, mesh, seed=0, global_batch=8)
    for batch in itertools.islice(feed.iterate(), 5):
        jax.block_until_ready(batch)
    assert feed._gather._cache_size() == 1


@pytest.mark.parametrize("hosts", [2, 4, 8])
def test_any_number_of_hosts_shares_the_same_global_batch(source, mesh, hosts):
    whole = GrainFeed(source, mesh, seed=3, global_batch=16)
    parts = [
        GrainFeed(source, mesh, seed=3, global_batch=16, process_index=i, process_count=hosts) for i in range(hosts)
    ]
    for step in (0, 5):
        slices = [part.host_batch(step) for part in parts]
        assert {len(part["index"]) for part in slices} == {16 // hosts}
        assert_same({name: np.concatenate([part[name] for part in slices]) for name in slices[0]}, whole.batch(step))


class Counting(ArraySource):
    """Notes which examples are decoded, and by which threads."""

    def __getitem__(self, index):
        self.__dict__.setdefault("seen", []).append((index, threading.get_ident()))
        return super().__getitem__(index)


def test_a_host_decodes_its_own_rows_only(mesh):
    source = Counting({"image": np.stack([picture(i, 8) for i in range(50)])})
    part = GrainFeed(source, mesh, seed=3, global_batch=16, process_index=1, process_count=4, num_threads=1)
    batch = part.host_batch(2)
    assert [index for index, _ in source.seen] == batch["index"].tolist() == batch_indices(3, 2, 16, 50)[4:8].tolist()


def test_threads_do_not_change_the_batch(source, mesh):
    batches = [
        list(map(host, itertools.islice(GrainFeed(source, mesh, seed=0, global_batch=16, **options).iterate(), 4)))
        for options in ({"num_threads": 1, "prefetch": 1}, {"num_threads": 4, "prefetch": 3})
    ]
    for a, b in zip(*batches, strict=True):
        assert_same(a, b)


def test_prefetch_is_bounded(mesh):
    source = Counting({"image": np.stack([picture(i, 8) for i in range(50)])})
    batches = GrainFeed(source, mesh, seed=0, global_batch=8, prefetch=2).iterate()
    next(batches)
    threading.Event().wait(0.5)
    # one handed out, two on the devices, two waiting, one under way
    assert 8 <= len(source.seen) <= 6 * 8
    batches.close()


@pytest.mark.parametrize("kind", FEEDS)
@pytest.mark.parametrize("packed", [False, True])
def test_files_of_any_size(kind, packed, ragged, mesh, tmp_path):
    tree, sizes = ragged
    spec = f"folder:{tree}?image_size=32"
    if packed:
        with tarfile.open(tmp_path / "all.tar", "w") as archive:
            archive.add(tree, arcname=".")
        spec = f"tar:{tmp_path}/all.tar?image_size=32"
    source = open_source(spec, "train")
    feed, seen = kind(source, mesh, seed=0, global_batch=8), set()
    for step in range(3):  # two epochs of 12
        batch = feed.batch(step)
        assert batch["image"].shape == (8, 32, 32, 3) and batch["size"].dtype == np.int32
        for image, size, index in zip(batch["image"], np.asarray(batch["size"]).tolist(), batch["index"]):
            np.testing.assert_array_equal(image, source[int(index)]["image"])
            assert tuple(size) == sizes.get(source.names[int(index)], (16, 16))
            seen.add(tuple(size))
    assert seen == {(16, 16), (24, 8), (5, 40)}


@pytest.mark.parametrize("kind", FEEDS)
def test_any_fields(kind, mesh):
    rng = np.random.default_rng(0)
    fields = {
        "tokens": rng.integers(0, 99, (50, 6)),
        "captions": rng.integers(0, 99, (50, 2, 3)),
        "pose": rng.normal(size=(50, 4)).astype(np.float32),
        "audio": rng.integers(-99, 99, (50, 20)).astype(np.int16),
        "seen": rng.integers(0, 2, 50).astype(bool),
        "replaced": rng.integers(0, 9, (50, 2)).astype(np.uint8),  # a name that the feed uses inside
    }
    source = ArraySource(fields)
    feed = kind(source, mesh, seed=2, global_batch=16)
    for step, batch in zip(range(3), feed.iterate()):
        index = batch_indices(2, step, 16, 50)
        assert batch.keys() == fields.keys() | {"index"}
        np.testing.assert_array_equal(batch["index"], index)
        for name, array in fields.items():
            np.testing.assert_array_equal(batch[name], array[index])
            assert batch[name].dtype == source.spec[name].dtype
    assert not source.replaced


@pytest.mark.parametrize("kind", FEEDS)
def test_no_labels_no_label(kind, mesh):
    source = ArraySource({"image": np.stack([picture(i, 8) for i in range(50)])})
    assert kind(source, mesh, seed=0, global_batch=8).batch(0).keys() == {"image", "index"}


@pytest.mark.parametrize("kind", FEEDS)
def test_fields_that_devices_do_not_hold(kind, mesh):
    with pytest.raises(ValueError, match="pose of the source is float64, devices hold float32"):
        kind(Unread(pose=((4,), np.float64)), mesh, seed=0, global_batch=8)
    with pytest.raises(ValueError, match="the source has a field index, which feeds add"):
        kind(Unread(index=((), np.int32)), mesh, seed=0, global_batch=8)


def test_feeds_by_name(source, mesh):
    resident_feed = make_feed("resident", source, mesh, seed=4, global_batch=8)
    grain_feed = make_feed("grain", source, mesh, seed=4, global_batch=8, num_threads=None, prefetch=3)
    assert isinstance(resident_feed, ResidentFeed) and isinstance(grain_feed, GrainFeed)
    assert grain_feed.prefetch == 3
    assert_same(resident_feed.batch(5), grain_feed.batch(5))


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("residnet", {}, "no feed 'residnet'; did you mean 'resident'?"),
        ("x", {}, "no feed 'x'; there are resident, grain"),
        ("grain", {"num_worker": 2}, "the grain feed has no option 'num_worker'; did you mean 'num_workers'?"),
        ("grain", {"image_size": 2}, "the grain feed has no option 'image_size'; there are num_workers, num_threads"),
        ("resident", {"prefetch": 2}, "the resident feed has no option 'prefetch'; it has none"),
        ("grain", {"prefetch": "many"}, "option prefetch=many of the grain feed is not int"),
        ("grain", {"prefetch": True}, "option prefetch=True of the grain feed is not int"),
    ],
)
def test_feeds_and_options_that_there_are_not(name, options, message, source, mesh):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")) as caught:
        make_feed(name, source, mesh, seed=0, global_batch=8, **options)
    assert "\n" not in str(caught.value)


def test_corrupt_images_stop_the_feed_with_the_name_of_the_file(damaged, mesh):
    batches = GrainFeed(open_source(f"folder:{damaged}", "train"), mesh, seed=0, global_batch=8).iterate()
    with pytest.raises(ValueError, match=r"cannot read .*cat/1\.png"):
        next(batches), next(batches)


def test_corrupt_images_are_replaced_and_counted(damaged, mesh):
    source = open_source(f"folder:{damaged}?on_error=skip", "train")
    grain = GrainFeed(source, mesh, seed=0, global_batch=8)
    resident = ResidentFeed(open_source(f"folder:{damaged}?on_error=skip", "train"), mesh, seed=0, global_batch=8)
    assert not source.replaced
    for step, batch in zip(range(4), grain.iterate()):
        assert_same(batch, resident.batch(step))
    assert source.replaced == resident.source.replaced == {5}


@pytest.mark.parametrize("kind", FEEDS)
@pytest.mark.parametrize(
    "batch, message",
    [
        (12, "global batch 12 is not divisible by the 8 devices that share it; use 16"),
        (0, "global batch 0 is not divisible"),
        (56, "global batch 56 is larger than the data set of 50 examples"),
    ],
)
def test_batches_that_do_not_fit(kind, source, mesh, batch, message):
    with pytest.raises(ValueError, match=message):
        kind(source, mesh, seed=0, global_batch=batch)


def test_grain_options_that_do_not_fit(source, mesh):
    with pytest.raises(ValueError, match="global batch 16 is not divisible by 3 hosts"):
        GrainFeed(source, mesh, seed=0, global_batch=16, process_index=0, process_count=3)
    with pytest.raises(ValueError, match="num_workers=-1"):
        GrainFeed(source, mesh, seed=0, global_batch=16, num_workers=-1)
