"""The engine, on pyopencl's contexts, queues, buffers and events."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._dispatcher import Dispatcher, Problem
from ._library import (
    BUSY,
    DTYPES,
    Buffer,
    Call,
    EngineOptions,
    Error,
    Handle,
    Matrix,
    ModuleSource,
    check,
    dtype_name,
    engine_library,
    fitting,
    holds,
    number_of,
    row_pitch,
    weights_source,
)


class Weights(Handle):
    """A and B of one adapter of one module, on the device. Engine.weights() makes them. `dtype` is the
    name of theirs. Threads may share them; who updates them is alone with them."""

    def __init__(self, create: Any, *arguments: Any, shape: tuple[int, int, int, str]):
        super().__init__(create, engine_library().loratune_weights_destroy, *arguments)
        self.rank, self.k, self.n, self.dtype = shape

    def update(self, queue: Any, a: Any, b: Any) -> None:
        """Other values in the same shape and dtype, as after a step of training."""
        source, _, kept = weights_source(a, b, self.dtype)
        check(
            engine_library().loratune_weights_update,
            self._handle,
            queue.int_ptr,
            ctypes.byref(source),
        )
        del kept


class Pool(Handle):
    """Slots for adapters of one module, whose rows one call may mix. Engine.pool() makes it. Who sets
    or clears a slot is alone with it."""

    def __init__(self, engine: Engine, problem: Problem, slots: int):
        struct = problem._struct()
        super().__init__(
            engine_library().loratune_pool_create,
            engine_library().loratune_pool_destroy,
            engine._handle,
            ctypes.byref(struct),
            fitting("slots", slots, ctypes.c_int32),
        )
        self._problem = problem

    def set(self, queue: Any, slot: int, a: Any, b: Any, scale: float = 1.0) -> None:
        """Fills the slot with A[rank,k] and B[n,rank], of the dtype of the pool's weights; their rank
        may be below the pool's. Arrays of uint16 may hold bfloat16."""
        of = self._problem
        source, (rank, k, n, _), kept = weights_source(a, b, of.weights_dtype or of.dtype)
        if (k, n) != (of.k, of.n):
            raise ValueError(f"A must be [rank, {of.k}] and B [{of.n}, rank], not [{rank}, {k}] and [{n}, {rank}]")
        module = ModuleSource(
            rank=rank,
            a=source.a,
            a_bytes=source.a_bytes,
            b=source.b,
            b_bytes=source.b_bytes,
            scale=scale,
        )
        modules = (ctypes.c_void_p * 1)(ctypes.addressof(module))
        slot = fitting("slot", slot, ctypes.c_int32)
        check(engine_library().loratune_pool_set, self._handle, queue.int_ptr, slot, modules, 1)
        del kept

    def clear(self, queue: Any, slot: int) -> None:
        """Empties the slot: its rows stay as they are."""
        slot = fitting("slot", slot, ctypes.c_int32)
        check(engine_library().loratune_pool_clear, self._handle, queue.int_ptr, slot)


class Route(Handle):
    """Which rows of a step belong to which slot, made once a step. Engine.route() makes it; for one
    thread and one in-order queue at a time."""

    def __init__(self, engine: Engine, most_rows: int, slots: int):
        super().__init__(
            engine_library().loratune_route_create,
            engine_library().loratune_route_destroy,
            engine._handle,
            fitting("most_rows", most_rows, ctypes.c_int64),
            fitting("slots", slots, ctypes.c_int32),
        )

    def assign(self, queue: Any, slots: Any) -> None:
        """The slot of each row, -1 for a row that stays as it is."""
        slots = np.asarray(slots)
        if slots.size > 0:
            if slots.dtype.kind not in "iu":
                raise ValueError(f"slots must be integers, not {slots.dtype}")
            for edge in (slots.min(), slots.max()):
                fitting("slot", edge, ctypes.c_int32)
        slots = np.ascontiguousarray(slots, dtype=np.int32)
        check(
            engine_library().loratune_route_assign,
            self._handle,
            queue.int_ptr,
            slots.ctypes.data,
            slots.size,
        )


class Op(Handle):
    """One product for any number of rows, for one thread and one in-order queue at a time: to another
    thread it says LORATUNE_BUSY. Engine.op() makes it."""

    def __init__(self, engine: Engine, problem: Problem):
        struct = problem._struct()
        super().__init__(
            engine_library().loratune_op_create,
            engine_library().loratune_op_destroy,
            engine._handle,
            ctypes.byref(struct),
        )
        self.problem = problem
        self._caller: dict[str, int] = {}
        self._detail = Buffer()
        self._done = ctypes.c_void_p()
        self._call = Call(detail=ctypes.addressof(self._detail.text), done=ctypes.addressof(self._done))
        self._by_reference = ctypes.byref(self._call)
        self._forward = engine_library().loratune_forward
        import pyopencl

        self._event = pyopencl.Event.from_int_ptr

    def warmup(self, m: Sequence[int]) -> None:
        """Builds the kernels for these numbers of rows."""
        rows = (ctypes.c_int64 * len(m))(*(fitting("m", rows, ctypes.c_int64) for rows in m))
        check(engine_library().loratune_op_warmup, self._handle, rows, len(m))

    def forward(
        self,
        queue: Any,
        x: Any,
        y: Any,
        weights: Weights | tuple[Pool, Route],
        scale: float = 1.0,
        m: int | None = None,
        wait_for: Sequence[Any] | None = None,
        off_x: int = 0,
        ld_x: int = 0,
        off_y: int = 0,
        ld_y: int = 0,
    ) -> Any:
        """Enqueues y += scale * (x A^T) B^T and returns the event of its end. x and y are pyopencl
        buffers, with `m` rows, offsets and pitches in elements, or pyopencl arrays of two dimensions and
        the problem's dtype, which say all that: `m` then may be less than their rows, and an offset or a
        pitch that is said beside them must be theirs. With buffers alone `m` must be said, unless the
        problem has one. In the place of weights a pool and a route may stand."""
        problem = self.problem
        x, off_x, ld_x, rows_x = _operand("x", x, problem.k, problem.dtype, off_x, ld_x)
        y, off_y, ld_y, rows_y = _operand("y", y, problem.n, problem.dtype, off_y, ld_y)
        if rows_x is not None and rows_y is not None and rows_x != rows_y:
            raise ValueError(f"y must have as many rows as x, {rows_x}, not {rows_y}")
        rows = rows_y if rows_x is None else rows_x
        if m is None:
            m = problem.m if rows is None else rows
            if rows is None and m == 0:
                raise ValueError("m is needed: buffers do not say their rows, and the problem has none")
        elif rows is not None and m > rows:
            raise ValueError(f"m = {m} is more than the {rows} rows of the arrays")
        # A signal may end a call between any two steps. The mark that it then leaves stops other threads only.
        caller = threading.get_ident()
        if self._caller.setdefault("thread", caller) != caller:
            raise Error(BUSY, "another thread is using the op")
        try:
            call = self._call
            call.scale = scale
            call.m = fitting("m", m, ctypes.c_int64)
            if isinstance(weights, tuple):
                call.weights = None
                call.pool, call.route = weights[0]._handle, weights[1]._handle
            else:
                call.weights = weights._handle
                call.pool = call.route = None
            call.queue = queue.int_ptr
            call.x = x.int_ptr if x is not None else None
            call.y = y.int_ptr if y is not None else None
            call.off_x = off_x
            call.ld_x = ld_x
            call.off_y = off_y
            call.ld_y = ld_y
            # Said in every call: an exception, as of a signal, may have ended the one before anywhere.
            events = (ctypes.c_void_p * len(wait_for))(*(event.int_ptr for event in wait_for)) if wait_for else None
            call.waits = ctypes.addressof(events) if events else None
            call.wait_count = len(events) if events else 0
            self._take_event()
            status = self._forward(self._handle, self._by_reference)
            if status != 0:
                raise Error(status, str(self._detail))
            return self._take_event()
        finally:
            self._caller.clear()

    def _take_event(self) -> Any:
        """The event of the last call, which whoever takes it releases; None where it was taken."""
        done = self._done.value
        if not done:
            return None
        self._done.value = None
        return self._event(done, False)


class Engine(Handle):
    """Builds and runs kernels on one device of one context. Threads may share it.

    `context` and `device` are pyopencl's, as `queue.context` and `queue.device`. `dispatcher` None:
    the built-in defaults. `cache_folder`: where compiled programs are kept, None for nowhere.
    """

    def __init__(
        self,
        context: Any,
        device: Any,
        dispatcher: Dispatcher | None = None,
        cache_folder: str | os.PathLike[str] | None = None,
        cache_bytes: int = 0,
    ):
        options = EngineOptions(
            context=context.int_ptr,
            device=device.int_ptr,
            dispatcher=dispatcher._handle if dispatcher is not None else None,
            cache_folder=os.fsencode(cache_folder) if cache_folder is not None else None,
            cache_bytes=cache_bytes,
        )
        super().__init__(
            engine_library().loratune_engine_create,
            engine_library().loratune_engine_destroy,
            ctypes.byref(options),
        )
        self._ops = threading.local()

    def weights(self, a: Any, b: Any, dtype: str | None = None) -> Weights:
        """A[rank,k] and B[n,rank] on the device: arrays of numpy, or of the host by DLPack, of float32,
        float16 or bfloat16. Arrays of uint16 hold bfloat16 where `dtype` says so. They are copied."""
        source, shape, kept = weights_source(a, b, dtype)
        made = Weights(
            engine_library().loratune_weights_create,
            self._handle,
            ctypes.byref(source),
            shape=shape,
        )
        del kept
        return made

    def concat(self, adapters: Sequence[tuple[Any, Any, float]], dtype: str | None = None) -> Weights:
        """Adapters (A, B, factor) that act on the same rows, as one of the sum of their ranks. `dtype` is
        as for weights()."""
        sources, kept, shape = [], [], None
        for a, b, factor in adapters:
            source, of, arrays = weights_source(a, b, dtype)
            source.factor = factor
            sources.append(source)
            kept.append(arrays)
            shape = of if shape is None else (shape[0] + of[0], *shape[1:])
        pointers = (ctypes.c_void_p * len(sources))(*map(ctypes.addressof, sources))
        if shape is None:
            raise ValueError("no adapter")
        return Weights(
            engine_library().loratune_weights_concat,
            self._handle,
            pointers,
            len(sources),
            shape=shape,
        )

    def merge(
        self,
        queue: Any,
        a: Any,
        b: Any,
        w: Any,
        scale: float = 1.0,
        dtype: str | None = None,
        off: int = 0,
        ld: int = 0,
        weights_dtype: str | None = None,
    ) -> None:
        """W += scale * B A, for the weights W[n,k] of a layer on the device; returns when that is done.
        W is a pyopencl array of two dimensions, or a buffer with its `dtype` ("float32", "float16",
        "bfloat16"), offset and pitch in elements; an array of uint16 holds bfloat16 where `dtype` says
        so. A and B are as for weights(), in any dtype: `weights_dtype` is theirs, as the `dtype` there.
        copy_weights() keeps W and brings it back."""
        source, shape, kept = weights_source(a, b, weights_dtype)
        source.factor = scale
        matrix = _matrix(w, (shape[2], shape[1]), dtype, off, ld)
        check(
            engine_library().loratune_merge,
            self._handle,
            queue.int_ptr,
            ctypes.byref(source),
            ctypes.byref(matrix),
        )
        del kept

    def pool(self, problem: Problem | str, slots: int) -> Pool:
        """Slots for adapters of up to the problem's rank; its m does not count."""
        return Pool(self, Problem.parse(problem) if isinstance(problem, str) else problem, slots)

    def route(self, most_rows: int, slots: int) -> Route:
        """For steps of up to so many rows over pools of at least so many slots."""
        return Route(self, most_rows, slots)

    def op(self, problem: Problem | str) -> Op:
        """The product of a problem, or its key, for any number of rows; m is a hint."""
        return Op(self, Problem.parse(problem) if isinstance(problem, str) else problem)

    def forward(
        self,
        queue: Any,
        x: Any,
        y: Any,
        weights: Weights,
        scale: float = 1.0,
        overwrite: bool = False,
        mode: str = "fast",
        **call: Any,
    ) -> Any:
        """Op.forward() of an op that is made when it is first needed and kept for the thread. x and y
        are of the weights' dtype. Engine.op() takes a problem with another one, and its op also a pool
        and a route in the place of weights."""
        if not isinstance(weights, Weights):
            raise TypeError(
                f"weights must be Weights, not {type(weights).__name__}: a pool and a route go to the "
                "forward() of Engine.op()"
            )
        key = (weights.rank, weights.k, weights.n, weights.dtype, overwrite, mode, queue.int_ptr)
        ops = self._ops.__dict__
        found = ops.get(key)
        if found is None:
            found = ops[key] = Op(
                self,
                Problem(
                    m=0,
                    k=weights.k,
                    n=weights.n,
                    rank=weights.rank,
                    dtype=weights.dtype,
                    overwrite=overwrite,
                    mode=mode,
                ),
            )
        return found.forward(queue, x, y, weights, scale, **call)


def copy_weights(queue: Any, to: Any, source: Any, dtype: str | None = None) -> None:
    """Enqueues a copy of the elements of one pyopencl array of two dimensions to another of the same
    shape, their rows at whatever pitch: to keep weights before Engine.merge(), or to have them back."""
    matrices = [_matrix(array, array.shape, dtype, 0, 0) for array in (source, to)]
    check(engine_library().loratune_matrix_copy, queue.int_ptr, *map(ctypes.byref, matrices))


def _matrix(w: Any, shape: tuple[int, int], dtype: str | None, off: int, ld: int) -> Matrix:
    if hasattr(w, "shape"):
        if tuple(w.shape) != tuple(shape):
            raise ValueError(f"the weights must be {tuple(shape)}, not {tuple(w.shape)}")
        dtype = dtype_name(w.dtype) if dtype is None else dtype
    number = number_of("dtype of the weights", dtype, DTYPES)
    w, off, ld, _ = _operand("w", w, shape[1], dtype, off, ld)
    buffer = w.int_ptr if w is not None else None
    return Matrix(dtype=number, buffer=buffer, out=shape[0], off=off, ld=ld, **{"in": shape[1]})


def _operand(name: str, array: Any, width: int, dtype: str, off: int, ld: int) -> tuple[Any, int, int, int | None]:
    """Buffer, offset and pitch in elements, and rows of a pyopencl array. A buffer does not say its rows; an
    array without elements may have None for a buffer."""

    def given_as(field: str) -> str:
        return field if name == "w" else f"{field}_{name}"  # merge() takes one matrix

    if hasattr(array, "base_data"):
        if not holds(array.dtype, dtype):
            raise ValueError(f"{name} must be an array of {dtype}, not of {array.dtype}")
        size = array.dtype.itemsize
        if array.offset % size:
            raise ValueError(f"{name} begins at byte {array.offset} of its buffer, which is no multiple of {size}")
        says = {"off": array.offset // size, "ld": row_pitch(name, array, width)}
        for field, given in (("off", off), ("ld", ld)):
            if given not in (0, says[field]):
                raise ValueError(f"{given_as(field)} = {given}, but the array {name} says {says[field]}: leave it out")
        return array.base_data, says["off"], says["ld"], array.shape[0]
    if not hasattr(array, "int_ptr"):
        raise TypeError(f"{name} must be a pyopencl array or buffer, not a {type(array).__name__}")
    fitting(given_as("off"), off, ctypes.c_int64)
    fitting(given_as("ld"), ld, ctypes.c_int64)
    return array, off, ld, None
