import pytest

from jssl.data.parallel import parallel_map


@pytest.mark.parametrize("threads", [1, 3, None])
@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_parallel_map_keeps_the_order(threads, count):
    assert parallel_map(lambda x: x * x, range(count), threads) == [x * x for x in range(count)]


def test_parallel_map_raises():
    with pytest.raises(ZeroDivisionError):
        parallel_map(lambda x: 1 // x, range(10), 2)
