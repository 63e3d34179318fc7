"""The structs of the package against those of the headers."""

import ast
import copy
import ctypes
import pickle
import shutil
import subprocess

import loratune
import numpy as np
import pytest
from loratune import _library


def test_structs_are_those_of_the_headers(source, tmp_path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    lines, wanted = [], []
    for name, struct in _library.STRUCTS.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        wanted.append(f"{name} {ctypes.sizeof(struct)}")
        for field in struct._fields_:
            place = getattr(struct, field[0])
            lines.append(f'printf("{name}.{field[0]} %zu\\n", offsetof({name}, {field[0]}));')
            wanted.append(f"{name}.{field[0]} {place.offset}")
    headers = tmp_path / "loratune"
    headers.symlink_to(source / "capi")
    program = tmp_path / "layout.c"
    program.write_text(
        "#include <loratune/loratune_cl.h>\n#include <stdio.h>\nint main(void) {\n"
        + "\n".join(lines)
        + "\nreturn 0;\n}\n"
    )
    binary = tmp_path / "layout"
    subprocess.run([compiler, "-I", tmp_path, program, "-o", binary], check=True)
    told = subprocess.run([binary], check=True, capture_output=True, text=True).stdout
    assert told.splitlines() == wanted


def test_every_struct_of_the_headers_is_known(source):
    import re

    text = "".join((source / "capi" / name).read_text() for name in ("loratune.h", "loratune_cl.h"))
    structs = set(re.findall(r"typedef struct (loratune_\w+) \{", text))
    assert structs == set(_library.STRUCTS)


@pytest.mark.parametrize(
    ("field", "value"),
    [("m", 2**64 + 5), ("m", -(2**63) - 1), ("rank", 2**32 + 4), ("align", 2**32), ("slices", (2**32 + 8,))],
)
def test_a_number_beyond_its_field_is_refused(field, value):
    with pytest.raises(OverflowError, match=f"{field} = -?[0-9]+ is outside -[0-9]+[.][.][0-9]+"):
        loratune.Problem(**{"m": 5, "k": 8, "n": 8, "rank": 4, field: value})


def test_what_is_no_integer_is_named():
    with pytest.raises(TypeError, match=r"m must be an integer, not 1\.5"):
        loratune.Problem(m=1.5, k=8, n=8, rank=4)
    assert str(loratune.Problem(m=np.int64(5), k=8, n=8, rank=4)) == "fwd_m5_k8_n8_r4_f32_acc"


def test_the_limits_of_a_field_are_taken():
    for kind, least, most in ((ctypes.c_int32, -(2**31), 2**31 - 1), (ctypes.c_uint64, 0, 2**64 - 1)):
        assert _library.fitting("x", least, kind) == least
        assert _library.fitting("x", most, kind) == most
        for beyond in (least - 1, most + 1):
            with pytest.raises(OverflowError, match=f"outside {least}[.][.]{most}"):
                _library.fitting("x", beyond, kind)


def test_a_text_with_nul_is_refused(source):
    folder = str(source / "tests/data/adapters/peft_plain")
    adapter = loratune.Adapter(folder)
    for name, call in {
        "key": lambda: loratune.Problem.parse("m1_k64_n32_r4_f16_acc\0x"),
        "path": lambda: loratune.Adapter(f"{folder}\0x"),
        "name": lambda: adapter.find(f"{adapter.modules[0].path}\0x"),
        "folder": lambda: adapter.save("/\0x", "peft"),
        "device": lambda: loratune.Dispatcher("{}\0"),
    }.items():
        with pytest.raises(ValueError, match=f"{name} must be without NUL"):
            call()


def test_a_handle_has_no_copies():
    weights = loratune.HostWeights(np.ones((2, 8), np.float32), np.ones((4, 2), np.float32))
    for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="a HostWeights cannot be copied or pickled"):
            duplicate(weights)


def test_what_needs_opencl_is_listed_and_known_to_type_checkers(source):
    assert set(loratune.__all__) <= set(dir(loratune))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = loratune.nothing
    parts = ast.parse((source / "python/loratune/__init__.py").read_text()).body
    aside = [part for part in parts if isinstance(part, ast.If) and ast.unparse(part.test) == "TYPE_CHECKING"]
    plain = [part for part in parts if isinstance(part, ast.ImportFrom)]
    names = {name.name for part in [*plain, *aside[0].body] for name in part.names}
    assert set(loratune.__all__) <= names
    assert not [part for part in parts if getattr(part, "name", None) == "__getattr__"]


def test_an_error_has_a_name():
    error = _library.Error(-10004, "what")
    assert (error.name, str(error)) == ("LORATUNE_INVALID_FILE", "LORATUNE_INVALID_FILE: what")
