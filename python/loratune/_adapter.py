"""Adapters that PEFT, mlx-lm, go-mlx, metal-candle and llama.cpp wrote."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import warnings
from typing import Any

import numpy as np

from ._library import (
    DTYPES,
    AdapterCall,
    AdapterOptions,
    Error,
    Factors,
    Handle,
    ModuleStruct,
    SaveOptions,
    check,
    dtype_name,
    fitting,
    library,
    number_of,
    whole_text,
)

_FORMATS = {None: 0, "peft": 1, "mlx-lm": 2, "go-mlx": 3, "metal-candle": 4, "gguf": 5}


@dataclasses.dataclass(frozen=True)
class Module:
    """A module of an adapter: y += scale * (x A^T) B^T with A[rank,k] and B[n,rank]."""

    path: str
    k: int
    n: int
    rank: int
    alpha: float
    scale: float
    matched: bool


class Adapter(Handle):
    """The LoRA factors of a model's modules. Threads may share it.

    `path` is a folder as its tool writes it, or one safetensors or GGUF file. `format` is `peft`,
    `mlx-lm`, `go-mlx`, `metal-candle` or `gguf`; None for what the files say. `rank` and `alpha` are
    for metal-candle, whose files hold neither. `lenient` leaves out what is no plain LoRA module.

    `notes` are what the user should know, and `skipped` what `lenient` left out, a line each.
    `changes_base`: the tool that wrote the adapter changes the base's weights when it loads it, so that
    on the base as it is the products are others. It comes with a warning.

    The factors stay in the files. They may be removed or replaced by others, but not written to:
    factors(), run() and save() then raise Error, and a write during these calls may end the process.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        format: str | None = None,
        rank: int = 0,
        alpha: float | None = None,
        lenient: bool = False,
    ):
        options = AdapterOptions(
            format=number_of("format", format, _FORMATS),
            path=os.fsencode(path),
            rank=rank,
            alpha=alpha or 0.0,
            has_alpha=int(alpha is not None),
            lenient=int(lenient),
        )
        super().__init__(
            library().loratune_adapter_load,
            library().loratune_adapter_destroy,
            ctypes.byref(options),
        )
        self.notes = self._lines(library().loratune_adapter_notes)
        self.skipped = self._lines(library().loratune_adapter_skipped)
        self.changes_base = self._changes_base()
        if self.changes_base:
            warnings.warn(f"the adapter changes the base's weights: {self.notes[0]}", stacklevel=2)
        self.modules: tuple[Module, ...] = tuple(
            self._module(i) for i in range(library().loratune_adapter_module_count(self._handle))
        )

    def find(self, name: str) -> int:
        """The index of the module of that path, or of the only one that ends with `.` and the name."""
        index = ctypes.c_size_t()
        text = fitting("name", name.encode(), ctypes.c_char_p)
        check(library().loratune_adapter_find, self._handle, text, ctypes.byref(index))
        return index.value

    def factors(self, module: int | str, dtype: Any = np.float32) -> tuple[np.ndarray, np.ndarray]:
        """A[rank,k] and B[n,rank], rounded to the dtype: float32, float16, or "bfloat16", which comes as
        arrays of uint16."""
        index = self._index(module)
        of = self.modules[index]
        is_bfloat = isinstance(dtype, str) and dtype == "bfloat16"  # numpy itself has none
        kind = np.dtype(np.uint16 if is_bfloat else dtype)
        number = number_of("dtype", dtype if is_bfloat else dtype_name(kind), DTYPES)
        a = np.empty((of.rank, of.k), kind)
        b = np.empty((of.n, of.rank), kind)
        wanted = Factors(
            dtype=number,
            index=index,
            a=a.ctypes.data,
            a_bytes=a.nbytes,
            b=b.ctypes.data,
            b_bytes=b.nbytes,
        )
        check(library().loratune_adapter_factors, self._handle, ctypes.byref(wanted))
        return a, b

    def run(self, module: int | str, x: np.ndarray, y: np.ndarray, factor: float = 1.0) -> None:
        """Adds to y[m,n] what the module does to x[m,k], on the host: dense float32 arrays."""
        index = self._index(module)
        of = self.modules[index]
        if x.shape[1:] != (of.k,) or y.shape != (x.shape[0], of.n):
            raise ValueError(f"x and y must be [m, {of.k}] and [m, {of.n}]")
        for name, array in (("x", x), ("y", y)):
            if array.dtype != np.float32 or not array.flags.c_contiguous:
                raise ValueError(f"{name} must be a dense float32 array")
        if not y.flags.writeable:
            raise ValueError("y cannot be written to")
        call = AdapterCall(
            index=index,
            m=x.shape[0],
            factor=factor,
            x=x.ctypes.data,
            x_count=x.size,
            y=y.ctypes.data,
            y_count=y.size,
        )
        check(library().loratune_adapter_run, self._handle, ctypes.byref(call))

    def save(
        self,
        folder: str | os.PathLike[str],
        format: str,
        alpha: float | None = None,
        heads: int = 0,
        heads_kv: int = 0,
    ) -> None:
        """Writes it as another tool's folder, which must not exist or be empty. `alpha` is for metal-candle,
        `heads` of the queries and `heads_kv` of the keys are for a GGUF's llama model; elsewhere they raise."""
        options = SaveOptions(
            format=number_of("format", format, _FORMATS),
            folder=os.fsencode(folder),
            alpha=alpha or 0.0,
            has_alpha=int(alpha is not None),
            heads=heads,
            heads_kv=heads_kv,
        )
        try:
            check(library().loratune_adapter_save, self._handle, ctypes.byref(options))
        except Error as error:
            if error.name != "LORATUNE_INVALID_VALUE":
                raise
            raise ValueError(str(error)) from None  # an argument is wrong, not a file

    def _index(self, module: int | str) -> int:
        return self.find(module) if isinstance(module, str) else range(len(self.modules))[module]

    def _lines(self, function: Any) -> tuple[str, ...]:
        return tuple(whole_text(lambda text, detail: function(self._handle, text, detail)).splitlines())

    def _changes_base(self) -> bool:
        changes = ctypes.c_int32()
        status = library().loratune_adapter_changes_base(self._handle, ctypes.byref(changes))
        if status != 0:
            raise Error(status, "")
        return changes.value == 1

    def _module(self, index: int) -> Module:
        struct = ModuleStruct()
        status = library().loratune_adapter_module(self._handle, index, ctypes.byref(struct))
        if status != 0:
            raise Error(status, "")
        return Module(
            path=struct.path.decode(),
            k=getattr(struct, "in"),
            n=struct.out,
            rank=struct.rank,
            alpha=struct.alpha,
            scale=struct.scale,
            matched=struct.matched == 1,
        )
