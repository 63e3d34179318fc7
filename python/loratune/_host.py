"""Products on the host, on arrays of numpy, without OpenCL."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from ._dispatcher import Problem
from ._library import (
    Handle,
    HostCall,
    check,
    element_name,
    element_number,
    fitting,
    holds,
    host_array,
    library,
    row_pitch,
    weights_source,
)


class HostWeights(Handle):
    """A[rank,k] and B[n,rank], packed once for any number of calls: arrays of numpy, or of others by DLPack,
    of float32, float16 or bfloat16. Arrays of uint16 hold bfloat16 where `dtype` says so. The attribute
    `dtype` is the name of theirs. Threads may share them."""

    def __init__(self, a: Any, b: Any, dtype: str | None = None):
        source, shape, kept = weights_source(a, b, dtype)
        super().__init__(
            library().loratune_host_weights_create,
            library().loratune_host_weights_destroy,
            ctypes.byref(source),
        )
        del kept
        self.rank, self.k, self.n, self.dtype = shape


class HostSession(Handle):
    """Threads, idle between calls, and memory that calls use again; for one thread at a time."""

    def __init__(self, threads: int = 1):
        super().__init__(
            library().loratune_host_session_create,
            library().loratune_host_session_destroy,
            fitting("threads", threads, ctypes.c_int32),
        )

    def forward(
        self,
        x: np.ndarray,
        y: np.ndarray,
        weights: HostWeights,
        scale: float = 1.0,
        overwrite: bool = False,
        dtype: str | None = None,
    ) -> None:
        """y += scale * (x A^T) B^T in place: arrays of rows of float32, float16 or bfloat16, whose elements
        stand side by side. x and y of uint16 hold bfloat16 where `dtype` says so. y must not overlap x."""
        if isinstance(x, np.ndarray):
            name = element_name(x.dtype, dtype)  # and no dense copy
        else:
            x, name = host_array(x, dtype)
        element_number("x", name, dtype)
        ld_x = row_pitch("x", x, weights.k)
        if not isinstance(y, np.ndarray) or y.shape[:1] != x.shape[:1] or not holds(y.dtype, name):
            raise ValueError("y must be an array of numpy with as many rows as x, of its dtype")
        ld_y = row_pitch("y", y, weights.n)
        if not y.flags.writeable:
            raise ValueError("y cannot be written to")
        problem = Problem(
            m=x.shape[0],
            k=weights.k,
            n=weights.n,
            rank=weights.rank,
            dtype=name,
            weights_dtype=weights.dtype,
            overwrite=overwrite,
        )._struct()
        call = HostCall(
            scale=scale,
            problem=ctypes.addressof(problem),
            weights=weights._handle,
            x=x.ctypes.data,
            x_bytes=_span(x, ld_x),
            y=y.ctypes.data,
            y_bytes=_span(y, ld_y),
            ld_x=ld_x,
            ld_y=ld_y,
        )
        check(library().loratune_forward_host, self._handle, ctypes.byref(call))


def forward_host(
    x: Any,
    a: Any,
    b: Any,
    y: np.ndarray,
    scale: float = 1.0,
    threads: int = 1,
    dtype: str | None = None,
    weights_dtype: str | None = None,
) -> None:
    """y[m,n] += scale * (x[m,k] A[rank,k]^T) B[n,rank]^T in place, on the host, for one call. `dtype` is
    that of x and y, `weights_dtype` of A and B, by default the same; where neither is said, the arrays say
    it. y must not overlap x, A and B. Who calls more often packs the weights once, as HostWeights, and
    keeps a HostSession."""
    HostSession(threads).forward(x, y, HostWeights(a, b, weights_dtype or dtype), scale, dtype=dtype)


def _span(array: np.ndarray, pitch: int) -> int:
    """Bytes from the first element to the end of the last row."""
    rows, width = array.shape
    return 0 if rows == 0 else ((rows - 1) * pitch + width) * array.itemsize
