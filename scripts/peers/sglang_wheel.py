"""SGLang's LoRA kernels, imported from its wheel without the rest of SGLang.

The wheel's modules import the runtime, which wants a dozen packages and a model server. The kernels
need four small things of it, which stand here in its place. The layout is that of SGLang 0.5.23.
"""

import dataclasses
import importlib
import sys
import tempfile
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import torch

# Packages whose __init__ would import the runtime.
PACKAGES = (
    "sglang",
    "sglang.kernels",
    "sglang.kernels.ops",
    "sglang.kernels.ops.lora",
    "sglang.kernels.ops.lora.dense",
    "sglang.srt",
    "sglang.srt.lora",
)
KERNELS = "sglang.kernels.ops.lora.dense."
VERSION = "0.5.23"


@dataclasses.dataclass
class Batch:
    """What the kernels read of SGLang's LoRABatchInfo: rows in segments, each of one adapter."""

    bs: int
    num_segments: int
    seg_indptr: torch.Tensor
    seg_lens: torch.Tensor
    weight_indices: torch.Tensor
    lora_ranks: torch.Tensor
    scalings: torch.Tensor
    max_len: int
    permutation: torch.Tensor | None
    use_cuda_graph: bool = False  # it would ask for a grid of the most segments, not of these


class Switches:
    """SGLang's switches in the environment: each is off."""

    def __getattr__(self, _):
        return SimpleNamespace(get=lambda: False)


def unpacked(path):
    """The folder that holds `sglang`: `path`, or where a wheel's kernels were unpacked to."""
    if path.is_dir():
        return path
    folder = Path(tempfile.mkdtemp(prefix="sglang-lora-"))
    with zipfile.ZipFile(path) as wheel:
        wheel.extractall(folder, [name for name in wheel.namelist() if name.startswith("sglang/kernels/ops/lora/")])
    return folder


def standing_in(name, **members):
    module = ModuleType(name)
    vars(module).update(members)
    sys.modules[name] = module
    return module


def load(path):
    """The functions that launch the kernels. Raises ImportError for what is no such wheel."""
    try:
        folder = unpacked(Path(path))
    except (OSError, zipfile.BadZipFile) as error:
        raise ImportError(f"{path}: {error}") from None
    if not (folder / "sglang/kernels/ops/lora/dense").is_dir():
        raise ImportError(f"{path}: no kernels of SGLang 0.5.23 are in it")
    for name in PACKAGES:
        standing_in(name, __path__=[str(folder / name.replace(".", "/"))])
    standing_in("sglang.srt.lora.utils", LoRABatchInfo=Batch)
    standing_in("sglang.srt.environ", envs=Switches())
    standing_in(
        "sglang.srt.utils",
        cached_triton_kernel=lambda _: lambda kernel: kernel,  # it saves the host time, which a graph has none of
        get_device_name=lambda: torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    )
    found = {
        "sgemm_a": ("sgemm_lora_a", "sgemm_lora_a_fwd"),
        "sgemm_b": ("sgemm_lora_b", "sgemm_lora_b_fwd"),
        "qkv_b": ("qkv_lora_b", "qkv_lora_b_fwd"),
        "gate_up_b": ("gate_up_lora_b", "gate_up_lora_b_fwd"),
        "shrink": ("chunked_sgmv_shrink", "chunked_sgmv_lora_shrink_forward"),
        "expand": ("chunked_sgmv_expand", "chunked_sgmv_lora_expand_forward"),
    }
    return SimpleNamespace(
        **{name: getattr(importlib.import_module(KERNELS + module), of) for name, (module, of) in found.items()}
    )
