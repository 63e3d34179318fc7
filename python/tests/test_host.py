import loratune
import numpy as np
import pytest


def matrix(rows, cols, seed, dtype=np.float32):
    return np.random.default_rng(seed).uniform(-1, 1, (rows, cols)).astype(dtype)


@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 1e-5), (np.float16, 2e-3)])
def test_forward_host_gives_the_product(dtype, bound):
    x, y = matrix(5, 70, 1, dtype), matrix(5, 33, 2, dtype)
    a, b = matrix(6, 70, 3, dtype), matrix(33, 6, 4, dtype)
    wanted = y + 0.5 * (x.astype(float) @ a.T.astype(float)) @ b.T.astype(float)
    loratune.forward_host(x, a, b, y, scale=0.5, threads=2)
    np.testing.assert_allclose(y, wanted, rtol=bound, atol=bound)


def test_rows_may_stand_apart_and_be_overwritten():
    x, y = matrix(4, 80, 1), matrix(4, 40, 2)
    weights = loratune.HostWeights(matrix(6, 70, 3), matrix(33, 6, 4))
    wanted = y.copy()
    wanted[:, 3:36] = (x[:, :70].astype(float) @ matrix(6, 70, 3).T) @ matrix(33, 6, 4).T
    loratune.HostSession().forward(x[:, :70], y[:, 3:36], weights, overwrite=True)
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)


def test_wrong_shapes_are_refused():
    weights = loratune.HostWeights(matrix(6, 70, 3), matrix(33, 6, 4))
    session = loratune.HostSession()
    x, y = matrix(4, 70, 1), matrix(4, 33, 2)
    for bad_x, bad_y in ((x[:, 1:], y), (x, y[:3]), (x, y.astype(float)), (x[:, ::-1], y)):
        with pytest.raises(ValueError):
            session.forward(bad_x, bad_y, weights)
    with pytest.raises(loratune.Error, match="LORATUNE_INVALID_VALUE"):
        loratune.HostSession(threads=-1)
    with pytest.raises(OverflowError, match="threads = "):
        loratune.HostSession(threads=2**32 + 2)


def test_another_byte_order_is_refused_and_y_stays():
    a, b, x, y = matrix(6, 70, 3), matrix(33, 6, 4), matrix(4, 70, 1), matrix(4, 33, 2)
    other = x.dtype.newbyteorder()
    before = y.copy()
    for fault in ({"x": x.astype(other)}, {"a": a.astype(other), "b": b.astype(other)}, {"y": y.astype(other)}):
        with pytest.raises(ValueError, match="dtype"):
            loratune.forward_host(**{"x": x, "a": a, "b": b, "y": y, **fault})
    np.testing.assert_array_equal(y, before)


@pytest.mark.parametrize("dtype", [np.float64, np.int32])
def test_a_dtype_without_kernels_is_refused_with_those_there_are(dtype):
    a, b, x, y = matrix(6, 70, 3), matrix(33, 6, 4), matrix(4, 70, 1), matrix(4, 33, 2)
    name = np.dtype(dtype).name
    with pytest.raises(ValueError, match=f"dtype of x must be one of float32, float16, bfloat16, not '{name}'"):
        loratune.forward_host(x.astype(dtype), a, b, y.astype(dtype))
    with pytest.raises(ValueError, match=f"dtype of A and B must be one of float32, .*not '{name}'"):
        loratune.forward_host(x, a.astype(dtype), b.astype(dtype), y)


def test_the_stride_of_one_row_or_column_does_not_matter():
    a, b = matrix(6, 70, 3), matrix(33, 6, 4)
    for x in (matrix(70, 1, 1).T, matrix(3, 70, 1)[::-1][:1]):
        for y in (matrix(33, 1, 2).T, matrix(3, 33, 2)[::-1][:1]):
            wanted = y + (x.astype(float) @ a.T) @ b.T
            loratune.forward_host(x, a, b, y)
            np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)
    x, y, a, b = matrix(1, 9, 1).T, matrix(1, 9, 2).T, matrix(2, 1, 3), matrix(1, 2, 4)
    wanted = y + (x.astype(float) @ a.T) @ b.T
    loratune.forward_host(x, a, b, y)
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)


def test_rows_in_reverse_or_on_each_other_are_refused():
    a, b, x, y = matrix(6, 70, 3), matrix(33, 6, 4), matrix(4, 70, 1), matrix(4, 33, 2)
    for bad in (x[::-1], np.broadcast_to(x[:1], x.shape)):
        with pytest.raises(ValueError, match=r"rows of x have a stride of -?[0-9]+ bytes: a negative.*is not taken"):
            loratune.forward_host(bad, a, b, y)
    with pytest.raises(ValueError, match="rows of y have a stride of -132 bytes"):
        loratune.forward_host(x, a, b, y[::-1])
