"""The structs of the package against those of the headers."""

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


def test_a_handle_has_no_copies():
    weights = loratune.HostWeights(np.ones((2, 8), np.float32), np.ones((4, 2), np.float32))
    for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="a HostWeights cannot be copied or pickled"):
            duplicate(weights)


def test_an_error_has_a_name():
    error = _library.Error(-10004, "what")
    assert (error.name, str(error)) == ("LORATUNE_INVALID_FILE", "LORATUNE_INVALID_FILE: what")
