import ctypes

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


def bits(values):
    """The upper halves of float32, which are bfloat16."""
    return (values.view(np.uint32) >> 16).astype(np.uint16)


def floats(stored):
    return (stored.astype(np.uint32) << 16).view(np.float32)


class Tensor:
    """What another package hands out by DLPack: a matrix whose elements have that code and 16 bits."""

    class Managed(ctypes.Structure):
        _fields_ = [
            ("data", ctypes.c_void_p),
            ("device", ctypes.c_int32 * 2),
            ("ndim", ctypes.c_int32),
            ("code", ctypes.c_uint8),
            ("bits", ctypes.c_uint8),
            ("lanes", ctypes.c_uint16),
            ("shape", ctypes.c_void_p),
            ("strides", ctypes.c_void_p),
            ("offset", ctypes.c_uint64),
            ("context", ctypes.c_void_p),
            ("deleter", ctypes.c_void_p),
        ]

    def __init__(self, array, code):
        self.array, self.shape, self.given = array, (ctypes.c_int64 * 2)(*array.shape), []
        self.code = code

    def __dlpack_device__(self):
        return 1, 0

    def __dlpack__(self, stream=None):
        data, shape = self.array.ctypes.data, ctypes.addressof(self.shape)
        self.given.append(self.Managed(data, (1, 0), 2, self.code, 16, 1, shape))
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return new(ctypes.addressof(self.given[-1]), b"dltensor", None)


def test_arrays_of_uint16_hold_bfloat16_where_that_is_said():
    x, y, a, b = (bits(part) for part in (matrix(5, 70, 1), matrix(5, 33, 2), matrix(6, 70, 3), matrix(33, 6, 4)))
    before, step = y.copy(), floats(x).astype(float) @ floats(a).T @ floats(b).T
    for call in (lambda: loratune.forward_host(x, a, b, y), lambda: loratune.HostWeights(a, b)):
        with pytest.raises(ValueError, match="must be one of float32, float16, bfloat16, not 'uint16'"):
            call()
    for said, found in (("float16", "uint16"), ("int16", "'int16'")):
        with pytest.raises(ValueError, match=f"must be .*, not {found}"):
            loratune.forward_host(x, a, b, y, dtype=said)
    np.testing.assert_array_equal(y, before)
    loratune.forward_host(x, a, b, y, dtype="bfloat16")
    np.testing.assert_allclose(floats(y), floats(before) + step, rtol=1e-2, atol=1e-2)
    y = before.copy()
    loratune.forward_host(x, floats(a), floats(b), y, dtype="bfloat16", weights_dtype="float32")
    np.testing.assert_allclose(floats(y), floats(before) + step, rtol=1e-2, atol=1e-2)
    y = floats(before)
    loratune.forward_host(floats(x), a, b, y, dtype="float32", weights_dtype="bfloat16")
    np.testing.assert_allclose(y, floats(before) + step, rtol=1e-5, atol=1e-5)
    weights = loratune.HostWeights(a, b, dtype="bfloat16")
    assert weights.dtype == "bfloat16"
    y = before.copy()
    loratune.HostSession().forward(x, y, weights, dtype="bfloat16")
    np.testing.assert_allclose(floats(y), floats(before) + step, rtol=1e-2, atol=1e-2)


def test_tensors_of_bfloat16_come_by_dlpack():
    code = {"uint": 1, "float": 2, "bfloat": 4, "complex": 5}
    parts = [bits(part) for part in (matrix(5, 70, 1), matrix(6, 70, 3), matrix(33, 6, 4))]
    y = bits(matrix(5, 33, 2))
    x, a, b = (floats(part) for part in parts)
    wanted = floats(y) + x.astype(float) @ a.T @ b.T
    loratune.forward_host(*(Tensor(part, code["bfloat"]) for part in parts), y)
    np.testing.assert_allclose(floats(y), wanted, rtol=1e-2, atol=1e-2)
    with pytest.raises((BufferError, RuntimeError)):
        loratune.HostWeights(*(Tensor(part, code["complex"]) for part in parts[1:]))
    with pytest.raises(ValueError, match="not 'uint16'"):
        loratune.HostWeights(*(Tensor(part, code["uint"]) for part in parts[1:]))
    with pytest.raises(ValueError, match="must be float16, not bfloat16"):
        loratune.HostWeights(*(Tensor(part, code["bfloat"]) for part in parts[1:]), dtype="float16")
    halves = [part.astype(np.float16) for part in (a, b)]
    assert loratune.HostWeights(*(Tensor(part, code["float"]) for part in halves)).dtype == "float16"


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
