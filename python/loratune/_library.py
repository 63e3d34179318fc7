"""The C interface by ctypes: its structs, its libraries, and statuses as exceptions."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Mapping
from ctypes import (
    c_char_p,
    c_double,
    c_float,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

SUCCESS = 0
TEXT_TOO_LONG = -10007
BUSY = -10010
DTYPES = {"float32": 1, "float16": 2, "bfloat16": 3}
MODES = {"fast": 0, "deterministic": 1, "batch_invariant": 2}


class Error(RuntimeError):
    """A call that failed: `status` is its number, `name` the number's name."""

    def __init__(self, status: int, detail: str):
        self.status = status
        self.name: str = library().loratune_status_name(status).decode()
        super().__init__(f"{self.name}: {detail}" if detail else self.name)


def fitting(name: str, value: Any, kind: Any) -> Any:
    """The value, where a ctypes type of numbers or of texts holds it. By itself ctypes drops, without a
    word, the high bits of a number that is too large and what follows a NUL in a text."""
    try:
        held = kind(value).value
    except TypeError:
        raise TypeError(f"{name} must be {'bytes' if kind is c_char_p else 'an integer'}, not {value!r}") from None
    if held == value:
        return value
    if kind is c_char_p:
        raise ValueError(f"{name} must be without NUL, not {value!r}")
    count = 1 << 8 * ctypes.sizeof(kind)
    least = -count // 2 if kind(-1).value < 0 else 0
    raise OverflowError(f"{name} = {value} is outside {least}..{least + count - 1}")


def number_of(field: str, name: Any, numbers: Mapping[Any, int]) -> int:
    """The interface's number for a name."""
    if name not in numbers:
        raise ValueError(f"the {field} must be one of {', '.join(map(str, numbers))}, not {name!r}")
    return numbers[name]


_CHECKED = {c_char_p, c_int32, c_uint32, c_int64, c_uint64, c_size_t}


class _Struct(ctypes.Structure):
    """A struct of the interface; what is not said is 0, its default. What is said must fit its field."""

    def __init__(self, **fields: Any):
        for name, kind in self._fields_:
            if name in fields and kind in _CHECKED:
                fitting(name, fields[name], kind)
        super().__init__(size=ctypes.sizeof(type(self)), **fields)


class Text(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("capacity", c_size_t), ("length", c_size_t)]


class ProblemStruct(_Struct):
    _fields_ = [
        ("size", c_uint32),
        ("op", c_int32),
        ("mode", c_int32),
        ("dtype", c_int32),
        ("weights_dtype", c_int32),
        ("overwrite", c_int32),
        ("m", c_int64),
        ("k", c_int64),
        ("n", c_int64),
        ("rank", c_int32),
        ("align", c_int32),
        ("adapters", c_int32),
        ("dora", c_int32),
        ("slice_count", c_int32),
        ("slice_n", c_int32 * 8),
        ("reserved", c_int32),
    ]


class DispatcherOptions(_Struct):
    _fields_ = [
        ("size", c_uint32),
        ("reserved", c_uint32),
        ("device", c_char_p),
        ("path", c_char_p),
        ("bytes", c_char_p),
        ("byte_count", c_size_t),
    ]


class ChoiceStruct(_Struct):
    _fields_ = [
        ("size", c_uint32),
        ("device_match", c_int32),
        ("shape_match", c_int32),
        ("parameter_count", c_int32),
        ("variant", c_char_p),
        ("parameters", c_int32 * 16),
    ]


class AdapterOptions(_Struct):
    _fields_ = [
        ("size", c_uint32),
        ("format", c_int32),
        ("path", c_char_p),
        ("rank", c_int64),
        ("alpha", c_double),
        ("has_alpha", c_int32),
        ("lenient", c_int32),
    ]


class ModuleStruct(_Struct):
    _fields_ = [
        ("size", c_uint32),
        ("dtype", c_int32),
        ("path", c_char_p),
        ("in", c_int64),
        ("out", c_int64),
        ("rank", c_int64),
        ("alpha", c_double),
        ("scale", c_double),
        ("matched", c_int32),
        ("reserved", c_int32),
    ]


class Factors(_Struct):
    _fields_ = [
        ("size", c_uint32),
        ("dtype", c_int32),
        ("index", c_size_t),
        ("a", c_void_p),
        ("a_bytes", c_size_t),
        ("b", c_void_p),
        ("b_bytes", c_size_t),
    ]


class AdapterCall(_Struct):
    _fields_ = [
        ("size", c_uint32),
        ("reserved", c_uint32),
        ("index", c_size_t),
        ("m", c_int64),
        ("factor", c_double),
        ("x", c_void_p),
        ("x_count", c_size_t),
        ("y", c_void_p),
        ("y_count", c_size_t),
    ]


class SaveOptions(_Struct):
    _fields_ = [
        ("size", c_uint32),
        ("format", c_int32),
        ("folder", c_char_p),
        ("alpha", c_double),
        ("has_alpha", c_int32),
        ("heads", c_int32),
        ("heads_kv", c_int32),
        ("reserved", c_int32),
    ]


class EngineOptions(_Struct):
    _fields_ = [
        ("size", c_uint32),
        ("caller_scratch", c_int32),
        ("context", c_void_p),
        ("device", c_void_p),
        ("dispatcher", c_void_p),
        ("cache_folder", c_char_p),
        ("cache_bytes", c_uint64),
    ]


class WeightsSource(_Struct):
    _fields_ = [
        ("size", c_uint32),
        ("dtype", c_int32),
        ("k", c_int64),
        ("n", c_int64),
        ("rank", c_int32),
        ("reserved", c_int32),
        ("a", c_void_p),
        ("a_bytes", c_size_t),
        ("b", c_void_p),
        ("b_bytes", c_size_t),
        ("factor", c_float),
        ("reserved_too", c_int32),
    ]


class Call(_Struct):
    _fields_ = [
        ("size", c_uint32),
        ("scale", c_float),
        ("m", c_int64),
        ("weights", c_void_p),
        ("queue", c_void_p),
        ("x", c_void_p),
        ("y", c_void_p),
        ("off_x", c_int64),
        ("ld_x", c_int64),
        ("off_y", c_int64),
        ("ld_y", c_int64),
        ("scratch", c_void_p),
        ("scratch_offset", c_int64),
        ("waits", c_void_p),
        ("wait_count", c_uint32),
        ("reserved", c_uint32),
        ("done", c_void_p),
        ("detail", c_void_p),
        ("pool", c_void_p),
        ("route", c_void_p),
        ("slice_y", c_void_p),
        ("slice_off_y", c_void_p),
        ("slice_ld_y", c_void_p),
    ]


class ModuleSource(_Struct):
    _fields_ = [
        ("size", c_uint32),
        ("rank", c_int32),
        ("a", c_void_p),
        ("a_bytes", c_size_t),
        ("b", c_void_p),
        ("b_bytes", c_size_t),
        ("g", c_void_p),
        ("g_count", c_size_t),
        ("scale", c_float),
        ("reserved", c_int32),
    ]


class Matrix(_Struct):
    _fields_ = [
        ("size", c_uint32),
        ("dtype", c_int32),
        ("buffer", c_void_p),
        ("out", c_int64),
        ("in", c_int64),
        ("off", c_int64),
        ("ld", c_int64),
    ]


class HostCall(_Struct):
    _fields_ = [
        ("size", c_uint32),
        ("scale", c_float),
        ("problem", c_void_p),
        ("weights", c_void_p),
        ("x", c_void_p),
        ("x_bytes", c_size_t),
        ("y", c_void_p),
        ("y_bytes", c_size_t),
        ("ld_x", c_int64),
        ("ld_y", c_int64),
    ]


# Names of the C structs, for the test that compares them with the headers.
STRUCTS = {
    "loratune_text": Text,
    "loratune_problem": ProblemStruct,
    "loratune_dispatcher_options": DispatcherOptions,
    "loratune_choice": ChoiceStruct,
    "loratune_adapter_options": AdapterOptions,
    "loratune_module": ModuleStruct,
    "loratune_factors": Factors,
    "loratune_adapter_call": AdapterCall,
    "loratune_save_options": SaveOptions,
    "loratune_engine_options": EngineOptions,
    "loratune_weights_source": WeightsSource,
    "loratune_call": Call,
    "loratune_module_source": ModuleSource,
    "loratune_matrix": Matrix,
    "loratune_host_call": HostCall,
}

_P = c_void_p
_DISPATCHER_FUNCTIONS = {
    "loratune_problem_parse": [c_char_p, _P, _P],
    "loratune_problem_key": [_P, _P, _P],
    "loratune_dispatcher_create": [_P, _P, _P],
    "loratune_pick": [_P, _P, _P],
    "loratune_plan": [_P, _P, _P, _P],
    "loratune_explain": [_P, _P, _P, _P],
    "loratune_misses": [_P, _P],
    "loratune_adapter_load": [_P, _P, _P],
    "loratune_adapter_notes": [_P, _P, _P],
    "loratune_adapter_skipped": [_P, _P, _P],
    "loratune_adapter_changes_base": [_P, _P],
    "loratune_adapter_module": [_P, c_size_t, _P],
    "loratune_adapter_find": [_P, c_char_p, _P, _P],
    "loratune_adapter_factors": [_P, _P, _P],
    "loratune_adapter_run": [_P, _P, _P],
    "loratune_adapter_save": [_P, _P, _P],
    "loratune_host_weights_create": [_P, _P, _P],
    "loratune_host_session_create": [c_int32, _P, _P],
    "loratune_forward_host": [_P, _P, _P],
}
_ENGINE_FUNCTIONS = {
    "loratune_device_json": [_P, _P, _P],
    "loratune_engine_create": [_P, _P, _P],
    "loratune_weights_create": [_P, _P, _P, _P],
    "loratune_weights_update": [_P, _P, _P, _P],
    "loratune_weights_concat": [_P, _P, c_size_t, _P, _P],
    "loratune_merge": [_P, _P, _P, _P, _P],
    "loratune_matrix_copy": [_P, _P, _P, _P],
    "loratune_op_create": [_P, _P, _P, _P],
    "loratune_op_warmup": [_P, _P, c_size_t, _P],
    "loratune_forward": [_P, _P],
    "loratune_pool_create": [_P, _P, c_int32, _P, _P],
    "loratune_pool_set": [_P, _P, c_int32, _P, c_size_t, _P],
    "loratune_pool_clear": [_P, _P, c_int32, _P],
    "loratune_route_create": [_P, c_int64, c_int32, _P, _P],
    "loratune_route_assign": [_P, _P, _P, c_size_t, _P],
}


def _load(name: str, functions: dict[str, list], destroyed: list[str]) -> ctypes.CDLL:
    """The library beside this file, as a wheel has it, else the system's."""
    beside = Path(__file__).parent / "lib" / name
    loaded = ctypes.CDLL(str(beside) if beside.exists() else name)
    for function, arguments in functions.items():
        getattr(loaded, function).argtypes = arguments
        getattr(loaded, function).restype = c_int32
    for kind in destroyed:
        destroy = getattr(loaded, f"loratune_{kind}_destroy")
        destroy.argtypes, destroy.restype = [_P], None
    return loaded


@functools.cache
def library() -> ctypes.CDLL:
    loaded = _load("libloratune.so.0", _DISPATCHER_FUNCTIONS, ["dispatcher", "adapter", "host_weights", "host_session"])
    loaded.loratune_status_name.argtypes = [c_int32]
    loaded.loratune_status_name.restype = c_char_p
    loaded.loratune_version_text.restype = c_char_p
    loaded.loratune_adapter_module_count.argtypes = [_P]
    loaded.loratune_adapter_module_count.restype = c_size_t
    return loaded


@functools.cache
def engine_library() -> ctypes.CDLL:
    library()  # first: the engine's library needs it, and finds it by its name
    return _load("libloratune-cl.so.0", _ENGINE_FUNCTIONS, ["engine", "weights", "op", "pool", "route"])


def version() -> str:
    return library().loratune_version_text().decode()


class Buffer:
    """Room for a text that the library writes."""

    def __init__(self, capacity: int = 1024):
        self._bytes = ctypes.create_string_buffer(capacity)
        self.text = Text(ctypes.addressof(self._bytes), capacity, 0)

    def __str__(self) -> str:
        return self._bytes.value.decode("utf-8", "replace")


def check(function: Callable[..., int], *arguments: Any) -> None:
    """Calls a function whose last argument is the detail; raises Error where it fails."""
    detail = Buffer()
    status = function(*arguments, ctypes.byref(detail.text))
    if status != SUCCESS:
        raise Error(status, str(detail))


def whole_text(call: Callable[[Any, Any], int]) -> str:
    """The text that `call(text, detail)` answers with, however long it is."""
    detail = Buffer()
    answer = Buffer(4096)
    status = call(ctypes.byref(answer.text), ctypes.byref(detail.text))
    if status == TEXT_TOO_LONG:
        answer = Buffer(answer.text.length + 1)
        status = call(ctypes.byref(answer.text), ctypes.byref(detail.text))
    if status != SUCCESS:
        raise Error(status, str(detail))
    return str(answer)


class _DlTensor(ctypes.Structure):
    """What stands first in a DLManagedTensor, up to the shape."""

    _fields_ = [
        ("data", c_void_p),
        ("device", c_int32 * 2),
        ("ndim", c_int32),
        ("code", c_uint8),
        ("bits", c_uint8),
        ("lanes", c_uint16),
    ]


_DL_UINT, _DL_BFLOAT = 1, 4
_capsule_pointer = ctypes.PYFUNCTYPE(c_void_p, ctypes.py_object, c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))


class _Bits:
    """A tensor of bfloat16 that says, by DLPack, that its elements are of uint16: numpy has no bfloat16."""

    def __init__(self, tensor: Any):
        self._tensor = tensor

    def __dlpack_device__(self) -> Any:
        return self._tensor.__dlpack_device__()

    def __dlpack__(self, **_: Any) -> Any:
        capsule = self._tensor.__dlpack__()
        type_of = _DlTensor.from_address(_capsule_pointer(capsule, b"dltensor"))
        if (type_of.code, type_of.bits) != (_DL_BFLOAT, 16):
            raise BufferError("not of bfloat16")
        type_of.code = _DL_UINT
        return capsule


def host_array(array: Any, dtype: str | None = None) -> tuple[np.ndarray, str]:
    """A dense array of numpy, of the host by DLPack where it is another's, and the name of its elements:
    `dtype` where the array may hold such, which tells bfloat16 from uint16."""
    if not isinstance(array, np.ndarray) and hasattr(array, "__dlpack__"):
        try:
            array = np.from_dlpack(array)
        except (BufferError, RuntimeError) as refused:
            try:
                return np.ascontiguousarray(np.from_dlpack(_Bits(array))), "bfloat16"
            except Exception:
                raise refused from None
    array = np.ascontiguousarray(array)
    return array, element_name(array.dtype, dtype)


def dtype_name(dtype: Any) -> str:
    """A dtype's name, as `float32`; with its byte order, as `>f4`, where that is not the machine's."""
    dtype = np.dtype(dtype)
    return dtype.name if dtype.isnative else dtype.str


@functools.cache
def holds(dtype: np.dtype, name: str) -> bool:
    """Whether an array of the dtype may hold elements of that name. numpy has no bfloat16: it may stand
    in uint16."""
    return dtype_name(dtype) == name or (name == "bfloat16" and dtype_name(dtype) == "uint16")


def element_name(dtype: np.dtype, said: str | None) -> str:
    """What the elements of an array are: what is said of them, where the array may hold such."""
    return said if said is not None and holds(dtype, said) else dtype_name(dtype)


def element_number(what: str, name: str, said: str | None) -> int:
    """The interface's number for elements of that name, which must be what is said of them."""
    number = number_of(f"dtype of {what}", name if said is None else said, DTYPES)
    if said not in (None, name):
        raise ValueError(f"{what} must be {said}, not {name}")
    return number


def row_pitch(name: str, array: Any, width: int) -> int:
    """Elements from row to row of an array, of numpy or pyopencl, whose rows must have so many
    elements. The stride of a dimension that has one element says nothing."""
    if array.ndim != 2 or array.shape[1] != width:
        raise ValueError(f"{name} must have rows of {width} elements, not the shape {array.shape}")
    size = array.dtype.itemsize
    pitch = array.strides[0] if array.shape[0] > 1 else width * size
    step = array.strides[1] if array.shape[0] > 0 and width > 1 else size
    if step != size or pitch % size:
        raise ValueError(f"the elements of a row of {name} must stand side by side")
    if pitch < width * size:
        raise ValueError(
            f"the rows of {name} have a stride of {pitch} bytes: a negative one, or one below the length of a row, "
            "is not taken"
        )
    return pitch // size


def weights_source(a: Any, b: Any, dtype: str | None = None) -> tuple[WeightsSource, tuple[int, int, int, str], Any]:
    """The struct, what shape and dtype it has, and the arrays that its pointers point into. `dtype` is what
    the arrays must hold, None for any that there is a kernel for."""
    (a, name), (b, name_b) = host_array(a, dtype), host_array(b, dtype)
    if a.ndim != 2 or b.ndim != 2 or b.shape[1] != a.shape[0] or name != name_b:
        raise ValueError(
            f"A must be [rank, k] and B [n, rank] of one dtype, not {a.shape} of {name}, {b.shape} of {name_b}"
        )
    rank, k = a.shape
    source = WeightsSource(
        dtype=element_number("A and B", name, dtype),
        k=k,
        n=b.shape[0],
        rank=rank,
        a=a.ctypes.data,
        a_bytes=a.nbytes,
        b=b.ctypes.data,
        b_bytes=b.nbytes,
        factor=1.0,
    )
    return source, (rank, k, b.shape[0], name), (a, b)


class Handle:
    """An object of the library, destroyed with this one, which therefore has no copies."""

    def __init__(self, create: Callable[..., int], destroy: Callable[[Any], None], *arguments: Any):
        self._destroy = destroy
        self._handle = c_void_p()
        check(create, *arguments, ctypes.byref(self._handle))

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """What copy and pickle ask for."""
        raise TypeError(f"a {type(self).__name__} cannot be copied or pickled")

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle:
            self._destroy(handle)
            self._handle = c_void_p()
