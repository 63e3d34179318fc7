"""LoRA products on OpenCL devices: which kernel is fastest, and running it.

    y = y + scale * (x A^T) B^T        x[m,k]  A[rank,k]  B[n,rank]  y[m,n]

A Dispatcher answers, out of a tuned file, what to run for a problem; its plan is a dict that any
executor can run. An Engine runs it on the queue and buffers of pyopencl. An Adapter holds the
factors that PEFT, mlx-lm and others wrote. tune() makes a tuned file with lora-bench.
"""

from typing import TYPE_CHECKING

from ._adapter import Adapter, Module
from ._dispatcher import Choice, Dispatcher, Problem, device_json
from ._host import HostSession, HostWeights, forward_host
from ._library import Error, version
from ._tune import Progress, TuneError, tune

if TYPE_CHECKING:
    from ._engine import Engine, Op, Pool, Route, Weights, copy_weights

__all__ = [
    "Adapter",
    "Choice",
    "Dispatcher",
    "Engine",
    "Error",
    "HostSession",
    "HostWeights",
    "Module",
    "Op",
    "Pool",
    "Problem",
    "Progress",
    "Route",
    "TuneError",
    "Weights",
    "copy_weights",
    "device_json",
    "forward_host",
    "tune",
    "version",
]
__version__ = version()


# Type checkers, which know the names from above, would take any other name for one of the module's.
if not TYPE_CHECKING:

    def __getattr__(name: str):
        """What needs OpenCL is loaded when it is first asked for."""
        if name in ("Engine", "Op", "Pool", "Route", "Weights", "copy_weights"):
            from . import _engine

            return getattr(_engine, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
