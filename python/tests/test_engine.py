import copy
import dataclasses
import gc
import subprocess
import sys
import threading

import loratune
import numpy as np
import pytest

cl = pytest.importorskip("pyopencl")

K, N = 96, 80


def matrix(rows, cols, seed, dtype=np.float32):
    return np.random.default_rng(seed).uniform(-1, 1, (rows, cols)).astype(dtype)


def buffer(queue, array):
    flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
    return cl.Buffer(queue.context, flags, hostbuf=array)


def product(y, scale, x, a, b):
    return y + scale * (x.astype(float) @ a.T.astype(float)) @ b.T.astype(float)


def read(queue, from_buffer, like):
    out = np.empty_like(like)
    cl.enqueue_copy(queue, out, from_buffer)
    return out


@pytest.fixture(scope="module")
def engine(queue):
    return loratune.Engine(queue.context, queue.device)


@pytest.mark.parametrize("m", [1, 5, 33])
def test_forward_gives_the_product_and_an_event(queue, engine, m):
    x, y = matrix(m, K, 1), matrix(m, N, 2)
    a, b = matrix(8, K, 3), matrix(N, 8, 4)
    into = buffer(queue, y)
    event = engine.forward(queue, buffer(queue, x), into, engine.weights(a, b), scale=0.5, m=m)
    event.wait()
    assert isinstance(event, cl.Event)
    assert event.command_execution_status == cl.command_execution_status.COMPLETE
    np.testing.assert_allclose(read(queue, into, y), product(y, 0.5, x, a, b), rtol=1e-4, atol=1e-4)


def test_arrays_say_their_rows_and_pitches(queue, engine):
    array = pytest.importorskip("pyopencl.array")
    x, y = matrix(4, K + 8, 1), matrix(4, N + 16, 2)
    a, b = matrix(8, K, 3), matrix(N, 8, 4)
    on_device, into = array.to_device(queue, x), array.to_device(queue, y)
    engine.forward(queue, on_device[:, 8:], into[:, :N], engine.weights(a, b), scale=2.0, overwrite=True).wait()
    wanted = y.copy()
    wanted[:, :N] = product(0, 2.0, x[:, 8:], a, b)
    np.testing.assert_allclose(into.get(), wanted, rtol=1e-4, atol=1e-4)


def test_arrays_may_have_no_rows(queue, engine):
    array = pytest.importorskip("pyopencl.array")
    weights = engine.weights(matrix(8, K, 3), matrix(N, 8, 4))
    x, y = array.empty(queue, (0, K), np.float32), array.empty(queue, (0, N), np.float32)
    assert x.base_data is None
    event = engine.forward(queue, x, y, weights)
    assert isinstance(event, cl.Event)
    event.wait()
    full = array.to_device(queue, matrix(4, N, 2))
    engine.forward(queue, x, full[2:2], weights).wait()
    with pytest.raises(ValueError, match="m = 1 is more than the 0 rows"):
        engine.forward(queue, x, y, weights, m=1)
    np.testing.assert_array_equal(full.get(), matrix(4, N, 2))
    with pytest.raises(loratune.Error, match="LORATUNE_NULL_POINTER"):
        loratune.copy_weights(queue, x, x)


def test_a_run_waits_for_events(queue, engine):
    x, y = matrix(2, K, 1), matrix(2, N, 2)
    a, b = matrix(8, K, 3), matrix(N, 8, 4)
    gate = cl.UserEvent(queue.context)
    into = buffer(queue, y)
    done = engine.forward(queue, buffer(queue, x), into, engine.weights(a, b), m=2, wait_for=[gate])
    queue.flush()
    assert done.command_execution_status != cl.command_execution_status.COMPLETE
    gate.set_status(cl.command_execution_status.COMPLETE)
    done.wait()
    np.testing.assert_allclose(read(queue, into, y), product(y, 1, x, a, b), rtol=1e-4, atol=1e-4)


def test_a_call_that_an_exception_ended_leaves_nothing_to_the_next(queue, engine):
    x, y = buffer(queue, matrix(2, K, 1)), buffer(queue, matrix(2, N, 2))
    weights = engine.weights(matrix(8, K, 3), matrix(N, 8, 4))
    op = engine.op(loratune.Problem(m=0, k=K, n=N, rank=8))
    forward, event, seen, taken = op._forward, op._event, [], []

    def interrupted(*arguments):
        assert forward(*arguments) == 0
        raise KeyboardInterrupt

    def watched(*arguments):
        seen.append((op._call.waits, op._call.wait_count))
        return forward(*arguments)

    before = cl.UserEvent(queue.context)
    before.set_status(cl.command_execution_status.COMPLETE)
    op._forward = interrupted
    with pytest.raises(KeyboardInterrupt):
        op.forward(queue, x, y, weights, m=2, wait_for=[before])
    lost = op._done.value
    op._forward = watched
    op._event = lambda handle, retain: taken.append((handle, retain)) or event(handle, retain)
    done = op.forward(queue, x, y, weights, m=2)
    done.wait()
    assert seen == [(None, 0)]
    assert taken == [(lost, False), (done.int_ptr, False)]


def test_an_op_in_use_is_busy_and_keeps_its_operands(queue, engine):
    x, y = matrix(2, K, 1), matrix(2, N, 2)
    a, b = matrix(8, K, 3), matrix(N, 8, 4)
    weights, on_device, into, other = engine.weights(a, b), buffer(queue, x), buffer(queue, y), buffer(queue, y)
    op = engine.op(loratune.Problem(m=0, k=K, n=N, rank=8))
    forward, said = op._forward, []

    def call_again():
        try:
            op.forward(queue, on_device, other, weights, scale=9.0, m=2)
        except loratune.Error as error:
            said.append(error.name)

    def while_another_calls(*arguments):
        thread = threading.Thread(target=call_again)
        thread.start()
        thread.join()
        return forward(*arguments)

    op._forward = while_another_calls
    done = op.forward(queue, on_device, into, weights, scale=0.5, m=2)
    op._forward = forward
    assert said == ["LORATUNE_BUSY"]
    done.wait()
    np.testing.assert_allclose(read(queue, into, y), product(y, 0.5, x, a, b), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(read(queue, other, y), y)
    with pytest.raises(loratune.Error, match="LORATUNE_INVALID_OPERANDS"):
        op.forward(queue, on_device, into, weights, m=3)
    said.clear()
    thread = threading.Thread(target=call_again)
    thread.start()
    thread.join()
    assert not said


def test_weights_are_updated_and_joined(queue, engine):
    x, y = matrix(2, K, 1), matrix(2, N, 2)
    parts = [(matrix(3, K, 3), matrix(N, 3, 4), 1.0), (matrix(5, K, 5), matrix(N, 5, 6), -2.0)]
    together = engine.concat(parts)
    into = buffer(queue, y)
    engine.forward(queue, buffer(queue, x), into, together, m=2)
    wanted = y
    for a, b, factor in parts:
        wanted = product(wanted, factor, x, a, b)
    np.testing.assert_allclose(read(queue, into, y), wanted, rtol=1e-4, atol=1e-4)
    a, b = matrix(8, K, 7), matrix(N, 8, 8)
    together.update(queue, a, b)
    engine.forward(queue, buffer(queue, x), into, together, m=2)
    wanted = product(wanted, 1, x, a, b)
    np.testing.assert_allclose(read(queue, into, y), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_an_adapter_is_merged_and_a_copy_brings_the_weights_back(queue, engine, dtype):
    array = pytest.importorskip("pyopencl.array")
    a, b = matrix(8, K, 3), matrix(N, 8, 4)
    values = matrix(N, K + 4, 5)
    if dtype == "bfloat16":
        stored = (values.view(np.uint32) >> 16).astype(np.uint16)
        values = (stored.astype(np.uint32) << 16).view(np.float32)
    else:
        stored = values.astype(dtype)
        values = stored.astype(np.float32)
    on_device = array.to_device(queue, stored)
    w, kept = on_device[:, 2 : K + 2], array.empty(queue, (N, K), stored.dtype)
    loratune.copy_weights(queue, kept, w, dtype=dtype)
    engine.merge(queue, a, b, w, scale=-0.5, dtype=dtype)
    got = on_device.get()
    if dtype == "bfloat16":
        got = (got.astype(np.uint32) << 16).view(np.float32)
    wanted = values.copy()
    wanted[:, 2 : K + 2] += -0.5 * b @ a
    unit = {"float32": 2e-6, "float16": 1e-3, "bfloat16": 8e-3}[dtype]
    np.testing.assert_allclose(got.astype(np.float32), wanted, rtol=unit, atol=1e-5)
    assert not np.array_equal(got.astype(np.float32), values)
    loratune.copy_weights(queue, w, kept, dtype=dtype)
    np.testing.assert_array_equal(on_device.get(), stored)


def test_what_cannot_be_merged_is_refused(queue, engine):
    array = pytest.importorskip("pyopencl.array")
    a, b = matrix(8, K, 3), matrix(N, 8, 4)
    w = matrix(N, K, 5)
    into = array.to_device(queue, w)
    for fault in ({"w": into[:-1]}, {"dtype": "float16"}, {"dtype": "int8"}):
        with pytest.raises(ValueError):
            engine.merge(queue, a, b, **{"w": into, **fault})
    with pytest.raises(loratune.Error, match="LORATUNE_INVALID_OPERANDS"):
        engine.merge(queue, a, b, into.data, dtype="float32", off=1)
    with pytest.raises(loratune.Error, match="LORATUNE_INVALID_VALUE"):
        engine.merge(queue, a, b, into, scale=float("nan"))
    np.testing.assert_array_equal(into.get(), w)


def test_halves(queue, engine):
    x, y = matrix(3, K, 1, np.float16), matrix(3, N, 2, np.float16)
    a, b = matrix(8, K, 3, np.float16), matrix(N, 8, 4, np.float16)
    into = buffer(queue, y)
    engine.forward(queue, buffer(queue, x), into, engine.weights(a, b), scale=0.1, m=3).wait()
    np.testing.assert_allclose(read(queue, into, y), product(y, 0.1, x, a, b), rtol=2e-3, atol=2e-3)


def test_what_does_not_fit_is_refused_and_y_stays(queue, engine):
    x, y = matrix(2, K, 1), matrix(2, N, 2)
    weights = engine.weights(matrix(8, K, 3), matrix(N, 8, 4))
    into = buffer(queue, y)
    for fault in ({"m": 3}, {"m": 2, "off_y": -1}, {"m": 2, "ld_x": K - 1}):
        with pytest.raises(loratune.Error, match="LORATUNE_INVALID_OPERANDS"):
            engine.forward(queue, buffer(queue, x), into, weights, **fault)
    with pytest.raises(ValueError):
        engine.weights(matrix(8, K, 3), matrix(N, 7, 4))
    np.testing.assert_array_equal(read(queue, into, y), y)


def test_buffers_without_a_number_of_rows_are_refused(queue, engine):
    x, y = buffer(queue, matrix(4, K, 1)), matrix(4, N, 2)
    a, b = matrix(8, K, 3), matrix(N, 8, 4)
    weights, into = engine.weights(a, b), buffer(queue, y)
    for forward in (engine.forward, engine.op(loratune.Problem(m=0, k=K, n=N, rank=8)).forward):
        with pytest.raises(ValueError, match="m is needed"):
            forward(queue, x, into, weights)
        forward(queue, x, into, weights, m=0).wait()
    np.testing.assert_array_equal(read(queue, into, y), y)
    engine.op(loratune.Problem(m=3, k=K, n=N, rank=8)).forward(queue, x, into, weights).wait()
    assert np.any(read(queue, into, y) != y, axis=1).tolist() == [True] * 3 + [False]


def test_arrays_of_another_dtype_or_number_of_rows_are_refused(queue, engine):
    array = pytest.importorskip("pyopencl.array")
    weights = engine.weights(matrix(8, K, 3), matrix(N, 8, 4))
    x, y = array.to_device(queue, matrix(4, K, 1)), array.to_device(queue, matrix(8, N, 2))
    before = y.get()
    for dtype in (np.float16, np.float64, np.int32, np.uint32, np.dtype(np.float32).newbyteorder()):
        with pytest.raises(ValueError, match="x must be an array of float32, not of "):
            engine.forward(queue, array.zeros(queue, (4, K), dtype), y[:4], weights)
        with pytest.raises(ValueError, match="y must be an array of float32, not of "):
            engine.forward(queue, x, array.zeros(queue, (4, N), dtype), weights)
    for rows in (2, 8):
        with pytest.raises(ValueError, match=f"y must have as many rows as x, 4, not {rows}"):
            engine.forward(queue, x, y[:rows], weights)
    with pytest.raises(ValueError, match="m = 5 is more than the 4 rows"):
        engine.forward(queue, x, y[:4], weights, m=5)
    with pytest.raises(ValueError, match="m = 5 is more than the 4 rows"):
        engine.forward(queue, array.zeros(queue, (8, K), np.float32).data, y[:4], weights, m=5)
    np.testing.assert_array_equal(y.get(), before)
    engine.forward(queue, x, y[:4], weights, m=3).wait()
    changed = np.any(y.get() != before, axis=1)
    assert changed.tolist() == [True] * 3 + [False] * 5


def test_an_array_says_its_offset_and_pitch(queue, engine):
    array = pytest.importorskip("pyopencl.array")
    weights = engine.weights(matrix(8, K, 3), matrix(N, 8, 4))
    x, y = array.to_device(queue, matrix(4, K, 1)), array.to_device(queue, matrix(4, N, 2))
    before = y.get()
    for name, says in (("off_x", K), ("ld_x", K), ("off_y", 0), ("ld_y", N)):
        with pytest.raises(ValueError, match=f"{name} = {says + 1}, but the array {name[-1]} says {says}"):
            engine.forward(queue, x[1:], y[:3], weights, **{name: says + 1})
    with pytest.raises(ValueError, match=r"^ld = 1, but the array w says"):
        engine.merge(queue, matrix(8, K, 3), matrix(N, 8, 4), array.to_device(queue, matrix(N, K, 5)), ld=1)
    crooked = array.Array(queue, (1, K), np.float32, data=x.base_data, offset=2)
    with pytest.raises(ValueError, match="x begins at byte 2 of its buffer, which is no multiple of 4"):
        engine.forward(queue, crooked, y[:1], weights)
    np.testing.assert_array_equal(y.get(), before)
    engine.forward(queue, x[1:], y[:3], weights, off_x=K, ld_x=K, ld_y=N).wait()
    assert np.any(y.get()[:3] != before[:3])


def test_arrays_of_uint16_hold_bfloat16(queue, engine):
    array = pytest.importorskip("pyopencl.array")
    op = engine.op(loratune.Problem(m=0, k=K, n=N, rank=8, dtype="bfloat16", weights_dtype="float32"))
    a, b = matrix(8, K, 3), matrix(N, 8, 4)
    stored = [(values.view(np.uint32) >> 16).astype(np.uint16) for values in (matrix(2, K, 1), matrix(2, N, 2))]
    x, y = [(half.astype(np.uint32) << 16).view(np.float32) for half in stored]
    on_device, into = [array.to_device(queue, half) for half in stored]
    with pytest.raises(ValueError, match="x must be an array of bfloat16, not of int16"):
        op.forward(queue, on_device.view(np.int16), into, engine.weights(a, b))
    op.forward(queue, on_device, into, engine.weights(a, b)).wait()
    got = (into.get().astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_allclose(got, product(y, 1, x, a, b), rtol=1e-2, atol=1e-2)


def test_weights_of_uint16_hold_bfloat16_where_that_is_said(queue, engine):
    array = pytest.importorskip("pyopencl.array")

    def bits(values):
        return (values.view(np.uint32) >> 16).astype(np.uint16)

    def floats(stored):
        return (stored.astype(np.uint32) << 16).view(np.float32)

    x, y, a, b = (bits(part) for part in (matrix(4, K, 1), matrix(4, N, 2), matrix(8, K, 3), matrix(N, 8, 4)))
    weights = engine.weights(a, b, dtype="bfloat16")
    joined = engine.concat([(a, b, 1.0)], dtype="bfloat16")
    zeroed = engine.weights(np.zeros_like(a), np.zeros_like(b), dtype="bfloat16")
    zeroed.update(queue, a, b)
    wanted = product(floats(y), 1.0, floats(x), floats(a), floats(b))
    for one in (weights, joined, zeroed):
        assert one.dtype == "bfloat16"
        into = array.to_device(queue, y)
        engine.forward(queue, array.to_device(queue, x), into, one).wait()
        np.testing.assert_allclose(floats(into.get()), wanted, rtol=1e-2, atol=1e-2)
    w = array.zeros(queue, (N, K), np.float32)
    engine.merge(queue, a, b, w, weights_dtype="bfloat16")
    np.testing.assert_allclose(w.get(), floats(b).astype(float) @ floats(a), rtol=1e-5, atol=1e-5)
    for call in (
        lambda: engine.weights(a, b),
        lambda: engine.weights(a, b, dtype="float16"),
        lambda: engine.concat([(a, b, 1.0)]),
        lambda: engine.merge(queue, a, b, w),
        lambda: engine.weights(floats(a), floats(b), dtype="bfloat16"),
        lambda: weights.update(queue, floats(a), floats(b)),
    ):
        with pytest.raises(ValueError, match="must be"):
            call()


def test_what_is_no_array_or_buffer_of_pyopencl_is_named(queue, engine):
    weights = engine.weights(matrix(8, K, 3), matrix(N, 8, 4))
    x, y = matrix(2, K, 1), matrix(2, N, 2)
    with pytest.raises(TypeError, match="x must be a pyopencl array or buffer, not a ndarray"):
        engine.forward(queue, x, buffer(queue, y), weights, m=2)
    with pytest.raises(TypeError, match="y must be a pyopencl array or buffer, not a ndarray"):
        engine.forward(queue, buffer(queue, x), y, weights, m=2)
    with pytest.raises(TypeError, match="w must be a pyopencl array or buffer, not a ndarray"):
        engine.merge(queue, matrix(8, K, 3), matrix(N, 8, 4), matrix(N, K, 5))


def test_the_stride_of_one_row_or_column_does_not_matter(queue, engine):
    array = pytest.importorskip("pyopencl.array")
    for m, k, n in ((1, K, N), (5, 1, 1)):
        x, y, a, b = matrix(k, m, 1), matrix(n, m, 2), matrix(8, k, 3), matrix(n, 8, 4)
        on_device, into = array.to_device(queue, x).T, array.to_device(queue, y).T
        engine.forward(queue, on_device, into, engine.weights(a, b)).wait()
        np.testing.assert_allclose(into.get(), product(y.T, 1, x.T, a, b), rtol=1e-4, atol=1e-4)


def test_rows_in_reverse_are_refused(queue, engine):
    array = pytest.importorskip("pyopencl.array")
    x, y = array.to_device(queue, matrix(4, K, 1)), array.to_device(queue, matrix(4, N, 2))
    with pytest.raises(ValueError, match=f"rows of x have a stride of -{4 * K} bytes: a negative one.*is not taken"):
        engine.forward(queue, x[::-1], y, engine.weights(matrix(8, K, 3), matrix(N, 8, 4)))


def test_another_byte_order_is_refused(queue, engine):
    array = pytest.importorskip("pyopencl.array")
    a, b, w = matrix(8, K, 3), matrix(N, 8, 4), matrix(N, K, 5)
    other = a.dtype.newbyteorder()
    weights = engine.weights(a, b)
    pool = engine.pool(loratune.Problem(m=0, k=K, n=N, rank=8), 2)
    for call in (
        lambda: engine.weights(a.astype(other), b.astype(other)),
        lambda: engine.concat([(a.astype(other), b.astype(other), 1.0)]),
        lambda: weights.update(queue, a.astype(other), b.astype(other)),
        lambda: pool.set(queue, 0, a.astype(other), b.astype(other)),
        lambda: engine.merge(queue, a, b, array.to_device(queue, w.astype(other))),
        lambda: engine.merge(queue, a, b, array.to_device(queue, w.astype(other)), dtype="float32"),
    ):
        with pytest.raises(ValueError, match=other.str):
            call()


def test_a_pool_takes_what_it_was_made_for(queue, engine):
    problem = loratune.Problem(m=0, k=K, n=N, rank=8)
    pool = engine.pool(problem, 3)
    a, b = matrix(8, K, 3), matrix(N, 8, 4)
    for bad_a, bad_b in (
        (a.view(np.int32), b.view(np.int32)),
        (a.astype(np.float16), b.astype(np.float16)),
        (a, np.ascontiguousarray(b.T)),
        (a.reshape(8, K // 2, 2), b),
        (a.reshape(4, 2 * K), b.reshape(2 * N, 4)),
        (None, None),
    ):
        with pytest.raises(ValueError, match="must be"):
            pool.set(queue, 0, bad_a, bad_b)
    for slot in (2**32, -(2**32)):
        with pytest.raises(OverflowError, match="slot = "):
            pool.set(queue, slot, a, b)
        with pytest.raises(OverflowError, match="slot = "):
            pool.clear(queue, slot)
    with pytest.raises(OverflowError, match="slots = "):
        engine.pool(problem, 2**32 + 1)
    halves = engine.pool(dataclasses.replace(problem, weights_dtype="bfloat16"), 3)
    halves.set(queue, 0, *((array.view(np.uint32) >> 16).astype(np.uint16) for array in (a, b)))
    with pytest.raises(TypeError, match="weights must be Weights, not tuple: a pool and a route go to"):
        engine.forward(queue, None, None, (pool, engine.route(4, 3)))


def test_slots_of_rows_are_integers_that_fit(queue, engine):
    route = engine.route(8, 3)
    for slots in ([0.9], np.array([1.0]), [True], [float("nan")]):
        with pytest.raises(ValueError, match="slots must be integers, not "):
            route.assign(queue, slots)
    for slots in (np.array([0, 2**32]), [2**40], [-(2**32)], np.array([2**63], np.uint64)):
        with pytest.raises(OverflowError, match="slot = "):
            route.assign(queue, slots)
    for slots in ([], np.array([0, -1, 2]), np.array([1, 2], np.uint8)):
        route.assign(queue, slots)
    with pytest.raises(OverflowError, match="slots = "):
        engine.route(8, 2**32 + 3)
    with pytest.raises(OverflowError, match="most_rows = "):
        engine.route(2**64 + 8, 3)


def test_numbers_beyond_their_field_are_refused(queue, engine):
    x, y = buffer(queue, matrix(2, K, 1)), buffer(queue, matrix(2, N, 2))
    a, b = matrix(8, K, 3), matrix(N, 8, 4)
    weights = engine.weights(a, b)
    for name in ("m", "off_x", "ld_x", "off_y", "ld_y"):
        with pytest.raises(OverflowError, match=f"{name} = "):
            engine.forward(queue, x, y, weights, **{"m": 1, name: 2**64 + 1})
    with pytest.raises(OverflowError, match="m = "):
        engine.op(loratune.Problem(m=0, k=K, n=N, rank=8)).warmup([1, 2**64 + 1])
    with pytest.raises(OverflowError, match=r"^off = "):
        engine.merge(queue, a, b, buffer(queue, matrix(N, K, 5)), dtype="float32", off=2**64)
    with pytest.raises(OverflowError, match=r"cache_bytes = -1 is outside 0\.\."):
        loratune.Engine(queue.context, queue.device, cache_bytes=-1)
    with pytest.raises(ValueError, match="cache_folder must be without NUL"):
        loratune.Engine(queue.context, queue.device, cache_folder="/tmp/a\0b")


def test_a_mode_that_is_none_is_refused(queue, engine):
    x, y = buffer(queue, matrix(2, K, 1)), buffer(queue, matrix(2, N, 2))
    with pytest.raises(ValueError, match="mode must be one of fast, deterministic, batch_invariant, not 'x'"):
        engine.forward(queue, x, y, engine.weights(matrix(8, K, 3), matrix(N, 8, 4)), m=2, mode="x")


def test_weights_have_no_copies(queue, engine):
    weights = engine.weights(matrix(8, K, 3), matrix(N, 8, 4))
    with pytest.raises(TypeError, match="a Weights cannot be copied"):
        copy.copy(weights)
    x, y = buffer(queue, matrix(2, K, 1)), buffer(queue, matrix(2, N, 2))
    engine.forward(queue, x, y, weights, m=2).wait()


def test_rows_take_the_adapter_of_their_slot(queue, engine):
    problem = loratune.Problem(m=0, k=K, n=N, rank=8)
    pool, route, op = engine.pool(problem, 3), engine.route(8, 3), engine.op(problem)
    adapters = [(matrix(8, K, 3), matrix(N, 8, 4), 1.0), (matrix(2, K, 5), matrix(N, 2, 6), -2.0)]
    for slot, (a, b, scale) in enumerate(adapters):
        pool.set(queue, slot, a, b, scale)
    slots = [1, -1, 0, 2, 1]
    route.assign(queue, slots)
    x, y = matrix(5, K, 1), matrix(5, N, 2)
    into = buffer(queue, y)
    op.forward(queue, buffer(queue, x), into, (pool, route), scale=0.5, m=5).wait()
    wanted = y.copy()
    for row, slot in enumerate(slots):
        if 0 <= slot < 2:
            a, b, scale = adapters[slot]
            wanted[row] = product(y[row], 0.5 * scale, x[row : row + 1], a, b)
    got = read(queue, into, y)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(got[[1, 3]], y[[1, 3]])
    with pytest.raises(loratune.Error, match="LORATUNE_INVALID_VALUE"):
        route.assign(queue, [3])


def test_threads_share_an_engine(queue, engine):
    a, b = matrix(8, K, 3), matrix(N, 8, 4)
    weights = engine.weights(a, b)
    wrong = []

    def work(seed):
        own = cl.CommandQueue(queue.context)
        x, y = matrix(4, K, seed), matrix(4, N, seed + 1)
        into = buffer(own, y)
        on_device = buffer(own, x)
        for _ in range(20):
            engine.forward(own, on_device, into, weights, scale=0.1, m=4)
        if not np.allclose(read(own, into, y), product(y, 2.0, x, a, b), rtol=1e-3, atol=1e-3):
            wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_script_that_times_a_call_runs(source, queue):
    script = source / "scripts/measure_forward.py"
    told = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True).stdout
    assert [line.split(":")[0] for line in told.splitlines()[:2]] == ["op.forward", "engine.forward"]


def test_objects_end_in_any_order(queue):
    engine = loratune.Engine(queue.context, queue.device)
    weights = engine.weights(matrix(8, K, 3), matrix(N, 8, 4))
    op = engine.op(loratune.Problem(m=1, k=K, n=N, rank=8))
    references = sys.getrefcount(queue)
    del engine
    gc.collect()
    y = matrix(1, N, 2)
    op.forward(queue, buffer(queue, matrix(1, K, 1)), buffer(queue, y), weights).wait()
    del weights, op
    gc.collect()
    assert sys.getrefcount(queue) == references
