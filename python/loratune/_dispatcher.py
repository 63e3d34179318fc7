"""Problems, and which kernel to run for them."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
from typing import Any

from ._library import (
    DTYPES,
    MODES,
    ChoiceStruct,
    DispatcherOptions,
    Error,
    Handle,
    ProblemStruct,
    check,
    engine_library,
    fitting,
    library,
    number_of,
    whole_text,
)


@dataclasses.dataclass(frozen=True)
class Problem:
    """One product. `dtype` is that of x and y, `weights_dtype` of A and B, by default the same;
    `overwrite` writes y in place of adding to it; `align` is what pointers, pitches and offsets of x
    and y are multiples of, in bytes, 0 for the element's size. `mode` is what is promised of the
    bits: fast (nothing), deterministic, or batch_invariant. `slices` holds the columns of each module
    of a group, whose sum is n; `adapters` is how many adapters the rows belong to, 0 for one; `dora`
    says whether y is multiplied by gains."""

    m: int
    k: int
    n: int
    rank: int
    dtype: str = "float32"
    weights_dtype: str | None = None
    overwrite: bool = False
    align: int = 0
    mode: str = "fast"
    slices: tuple[int, ...] = ()
    adapters: int = 0
    dora: bool = False

    def __post_init__(self) -> None:
        self._struct()  # refuses what no struct can say

    @staticmethod
    def parse(key: str, mode: str = "fast") -> Problem:
        """From a key like `fwd_m1_k1024_n1024_r8_f16_acc`."""
        struct = ProblemStruct()
        text = fitting("key", key.encode(), ctypes.c_char_p)
        check(library().loratune_problem_parse, text, ctypes.byref(struct))
        names = {number: name for name, number in DTYPES.items()}
        return Problem(
            m=struct.m,
            k=struct.k,
            n=struct.n,
            rank=struct.rank,
            dtype=names[struct.dtype],
            weights_dtype=names.get(struct.weights_dtype),
            overwrite=struct.overwrite == 1,
            align=struct.align,
            mode=mode,
            slices=tuple(struct.slice_n[: struct.slice_count]),
            adapters=struct.adapters,
            dora=struct.dora == 1,
        )

    def __str__(self) -> str:
        """The key."""
        struct = self._struct()
        return whole_text(lambda text, detail: library().loratune_problem_key(ctypes.byref(struct), text, detail))

    def _struct(self) -> ProblemStruct:
        return ProblemStruct(
            mode=number_of("mode", self.mode, MODES),
            dtype=number_of("dtype", self.dtype, DTYPES),
            weights_dtype=number_of("weights_dtype", self.weights_dtype, DTYPES) if self.weights_dtype else 0,
            overwrite=int(self.overwrite),
            m=self.m,
            k=self.k,
            n=self.n,
            rank=self.rank,
            align=self.align,
            adapters=self.adapters,
            dora=int(self.dora),
            slice_count=len(self.slices),
            slice_n=(ctypes.c_int32 * 8)(*(fitting("slices", n, ctypes.c_int32) for n in self.slices[:8])),
        )


@dataclasses.dataclass(frozen=True)
class Choice:
    """What runs, and how it was found: `device_match` is exact, other_driver, similar or none,
    `shape_match` exact, rule or fallback."""

    variant: str
    parameters: tuple[int, ...]
    device_match: str
    shape_match: str


_DEVICE_MATCHES = ("exact", "other_driver", "similar", "none")
_SHAPE_MATCHES = ("exact", "rule", "fallback")


def device_json(device: Any) -> str:
    """What a Dispatcher has to know of a pyopencl device, as JSON text."""
    return whole_text(lambda text, detail: engine_library().loratune_device_json(device.int_ptr, text, detail))


class Dispatcher(Handle):
    """What to run on one device, out of one tuned file or none. Threads may share it.

    `device` is JSON text as device_json() gives it, the same as a dict, or a pyopencl device. `tuned`
    is a path, the bytes of a tuned file, or None: then every pick is the built-in default.
    """

    def __init__(self, device: Any, tuned: str | os.PathLike[str] | bytes | None = None):
        path = None if tuned is None or isinstance(tuned, bytes) else os.fsencode(tuned)
        options = DispatcherOptions(device=_device_text(device).encode(), path=path)
        if isinstance(tuned, bytes):
            options.bytes, options.byte_count = tuned, len(tuned)
        super().__init__(_create, library().loratune_dispatcher_destroy, ctypes.byref(options))

    def pick(self, problem: Problem | str) -> Choice:
        """What to run for a problem, or its key."""
        struct = _problem(problem)._struct()
        choice = ChoiceStruct()
        status = library().loratune_pick(self._handle, ctypes.byref(struct), ctypes.byref(choice))
        if status != 0:
            raise Error(status, str(problem))
        return Choice(
            variant=choice.variant.decode(),
            parameters=tuple(choice.parameters[: choice.parameter_count]),
            device_match=_DEVICE_MATCHES[choice.device_match],
            shape_match=_SHAPE_MATCHES[choice.shape_match],
        )

    def plan(self, problem: Problem | str) -> dict[str, Any]:
        """The pick as all that an executor needs: source, options, packing, scratch, launches.
        docs/other-languages.md describes the members."""
        return json.loads(self._text(library().loratune_plan, problem))

    def explain(self, problem: Problem | str) -> str:
        """In words: which record or rule answered, and why others were passed over."""
        return self._text(library().loratune_explain, problem)

    def misses(self) -> list[str]:
        """Keys of the problems that ended in the built-in default, the most frequent first."""
        return whole_text(lambda text, _: library().loratune_misses(self._handle, text)).splitlines()

    def _text(self, function: Any, problem: Problem | str) -> str:
        struct = _problem(problem)._struct()
        return whole_text(lambda text, detail: function(self._handle, ctypes.byref(struct), text, detail))


def _create(options: Any, handle: Any, detail: Any) -> int:
    return library().loratune_dispatcher_create(options, handle, detail)


def _problem(problem: Problem | str) -> Problem:
    return Problem.parse(problem) if isinstance(problem, str) else problem


def _device_text(device: Any) -> str:
    if isinstance(device, str):
        return device
    if isinstance(device, dict):
        return json.dumps(device)
    return device_json(device)
