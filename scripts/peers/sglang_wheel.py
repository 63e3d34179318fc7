"""SGLang's LoRA kernels, imported from its wheel without the rest of SGLang.

The wheel's modules import the runtime, which wants a dozen packages and a model server. The kernels
need a few small things of it, which stand here in its place. The layout is that of SGLang 0.5.23.
"""

import atexit
import dataclasses
import enum
import importlib
import json
import shutil
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
    "sglang.kernels.ops.lora.common",
    "sglang.kernels.ops.lora.dense",
    "sglang.srt",
    "sglang.srt.lora",
    "sglang.srt.lora.dense",
)
KERNELS = "sglang.kernels.ops.lora."
PLANS = "sglang.srt.lora.dense."
VERSION = "0.5.23"
LAUNCHES = {
    "sgemm_a": ("dense.sgemm_lora_a", "sgemm_lora_a_fwd"),
    "sgemm_b": ("dense.sgemm_lora_b", "sgemm_lora_b_fwd"),
    "qkv_b": ("dense.qkv_lora_b", "qkv_lora_b_fwd"),
    "gate_up_b": ("dense.gate_up_lora_b", "gate_up_lora_b_fwd"),
    "shrink": ("dense.chunked_sgmv_shrink", "chunked_sgmv_lora_shrink_forward"),
    "expand": ("dense.chunked_sgmv_expand", "chunked_sgmv_lora_expand_forward"),
}


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


class Phase(enum.StrEnum):
    DECODE = "decode"
    PREFILL = "prefill"


class Record:
    """What msgspec.Struct and pydantic.BaseModel are to SGLang: a class of named members."""

    def __init_subclass__(cls, **_):
        dataclasses.dataclass(cls)


class Switches:
    """SGLang's switches in the environment: each is off."""

    def __getattr__(self, _):
        return SimpleNamespace(get=lambda: False)


def unpacked(path):
    """The folder that holds `sglang`: `path`, or where a wheel's kernels were unpacked to."""
    if path.is_dir():
        return path
    folder = Path(tempfile.mkdtemp(prefix="sglang-lora-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    parts = ("sglang/kernels/ops/lora/", "sglang/srt/lora/")
    with zipfile.ZipFile(path) as wheel:
        wheel.extractall(folder, [name for name in wheel.namelist() if name.startswith(parts)])
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
    standing_in(
        "sglang.srt.lora.utils",
        LoRABatchInfo=Batch,
        Phase=Phase,
        architecture_for_capability=lambda major: "sm90" if major == 9 else "sm100" if major >= 10 else "default",
    )
    standing_in("sglang.srt.environ", envs=Switches())
    standing_in(
        "sglang.srt.utils",
        cached_triton_kernel=lambda _: lambda kernel: kernel,  # it saves the host time, which a graph has none of
        get_device_name=lambda: torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    )
    kernels = {
        name: getattr(importlib.import_module(KERNELS + module), launch) for name, (module, launch) in LAUNCHES.items()
    }
    return SimpleNamespace(**kernels, **planned(folder))


def planned(folder):
    """What makes a DenseLoraRunner of SGLang: it picks kernels and tiles from the plans that the wheel has of a GPU."""
    standing_in("msgspec", Struct=Record)
    ignored = {name: lambda *_, **__: lambda validator: validator for name in ("field_validator", "model_validator")}
    standing_in("pydantic", BaseModel=object, ConfigDict=dict, Field=lambda **_: None, **ignored)
    standing_in(KERNELS + "moe", __path__=[])
    standing_in(KERNELS + "moe.virtual_experts", _align_block_size_jit=None)
    standing_in("sglang.kernels.jit", __path__=[])
    standing_in("sglang.kernels.jit.utils", is_arch_support_pdl=lambda: False)
    plan = importlib.import_module(PLANS + "plan")

    def load_plans(architecture):
        path = folder / f"sglang/srt/lora/dense/configs/{architecture}.plans.json"
        return SimpleNamespace(rows=[plan_row(plan, row) for row in json.loads(path.read_text())["rows"]])

    plan.load_plans = load_plans
    # SGLang sorts the rows of a middling call with a kernel in CUDA, which wants a compiler; its Triton kernels
    # for large calls sort them as well.
    routing = importlib.import_module(KERNELS + "common.routing")
    routing._LARGE_ROUTE_MIN_PAIRS = routing._SMALL_ROUTE_MAX_PAIRS + 1
    return {
        "runner": importlib.import_module(PLANS + "runner").DenseLoraRunner,
        "workspace": importlib.import_module("sglang.srt.lora.workspace").LoraWorkspace,
        "linear": plan.DenseLoraKind.LINEAR,
    }


def plan_row(plan, row):
    """A row of a file of plans, as the classes in SGLang's plan.py have it."""
    limits = ("max_tokens", "max_rank", "min_in_features", "max_in_features", "min_out_features", "max_out_features")
    kinds = row.get("kinds")
    spec = dict(row.get("spec", {}))
    for name, family in (("a_family", plan.AFamily), ("b_family", plan.BFamily), ("overlap", plan.Overlap)):
        if name in spec:
            spec[name] = family(spec[name])
    return SimpleNamespace(
        **{name: row.get(name) for name in limits},
        phase=Phase(row["phase"]) if row.get("phase") else None,
        kinds=kinds and [plan.DenseLoraKind(kind) for kind in kinds],
        spec=SimpleNamespace(**spec, model_dump=lambda: spec),
    )
