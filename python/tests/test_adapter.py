import json
import shutil
import warnings

import loratune
import numpy as np
import pytest


def test_a_module_runs_as_its_factors_say(source):
    adapter = loratune.Adapter(source / "tests/data/adapters/peft_plain")
    index = adapter.find("layers.0.self_attn.q_proj")
    module = adapter.modules[index]
    a, b = adapter.factors(index)
    x = np.linspace(-1, 1, 2 * module.k, dtype=np.float32).reshape(2, module.k)
    y = np.ones((2, module.n), np.float32)
    adapter.run(index, x, y)
    wanted = 1 + module.scale * (x.astype(float) @ a.T) @ b.T
    assert np.max(np.abs(wanted - 1)) > 0
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)
    halves, _ = adapter.factors(module.path, np.float16)
    np.testing.assert_array_equal(halves, a.astype(np.float16))
    bits, other = adapter.factors(module.path, "bfloat16")
    assert (bits.dtype, other.dtype) == (np.uint16, np.uint16)
    np.testing.assert_allclose((bits.astype(np.uint32) << 16).view(np.float32), a, rtol=2.0**-8)
    assert loratune.HostWeights(bits, other, dtype="bfloat16").rank == module.rank


def test_it_is_written_as_another_tools(source, tmp_path):
    adapter = loratune.Adapter(source / "tests/data/adapters/peft_plain")
    adapter.save(tmp_path / "mlx", "mlx-lm")
    again = loratune.Adapter(tmp_path / "mlx")
    for before, after in zip(adapter.modules, again.modules):
        np.testing.assert_array_equal(adapter.factors(before.path)[0], again.factors(after.path)[0])


def test_an_option_that_would_be_dropped_is_refused(source, tmp_path):
    adapter = loratune.Adapter(source / "tests/data/adapters/peft_plain")
    for option, why in (
        ({"alpha": 8.0}, "alpha is for metal-candle, .* mlx-lm"),
        ({"heads": 4}, "heads is for .* GGUF's llama model, and this peft adapter"),
        ({"heads_kv": 2}, "heads_kv is for .* GGUF's llama model, and this peft adapter"),
    ):
        with pytest.raises(ValueError, match=why):
            adapter.save(tmp_path / "mlx", "mlx-lm", **option)
    assert not (tmp_path / "mlx").exists()


def test_what_the_user_should_know_is_told(source, tmp_path):
    fixtures = source / "tests/data/adapters"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = loratune.Adapter(fixtures / "peft_plain")
        turned = loratune.Adapter(fixtures / "llama_gguf_f16")
        part = loratune.Adapter(fixtures / "refused_modules_to_save", lenient=True)
    assert (plain.notes, plain.skipped, plain.changes_base) == ((), (), False)
    assert "order of rows" in turned.notes[0]
    assert part.skipped
    shutil.copytree(fixtures / "peft_plain", tmp_path / "pissa")
    file = tmp_path / "pissa/adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "init_lora_weights": "pissa"}))
    with pytest.warns(UserWarning, match="changes the base's weights: .*init_lora_weights 'pissa'"):
        assert loratune.Adapter(tmp_path / "pissa").changes_base


def test_a_file_that_was_cut_is_an_error(source, tmp_path):
    shutil.copytree(source / "tests/data/adapters/peft_plain", tmp_path / "cut")
    adapter = loratune.Adapter(tmp_path / "cut")
    (tmp_path / "cut/adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(loratune.Error, match=r"adapter_model\.safetensors: has changed since it was loaded"):
        adapter.factors(0)


def test_wrong_shapes_are_refused(source):
    adapter = loratune.Adapter(source / "tests/data/adapters/peft_plain")
    module = adapter.modules[0]
    x, y = np.zeros((1, module.k), np.float32), np.zeros((1, module.n), np.float32)
    for bad_x, bad_y in ((x[:, :-1], y), (x, y[:0]), (x.astype(float), y)):
        with pytest.raises(ValueError):
            adapter.run(0, bad_x, bad_y)
    with pytest.raises(loratune.Error, match="LORATUNE_NOT_FOUND"):
        adapter.find("no_such")
    with pytest.raises(loratune.Error, match="LORATUNE_INVALID_FILE"):
        loratune.Adapter(source / "tests/data/adapters/refused_dora")


def test_y_that_cannot_be_written_to_stays(source):
    adapter = loratune.Adapter(source / "tests/data/adapters/peft_plain")
    module = adapter.modules[0]
    y = np.zeros((1, module.n), np.float32)
    y.flags.writeable = False
    with pytest.raises(ValueError, match="y cannot be written to"):
        adapter.run(0, np.ones((1, module.k), np.float32), y)
    assert not y.any()


def test_formats_and_dtypes_that_are_none_are_refused(source, tmp_path):
    adapter = loratune.Adapter(source / "tests/data/adapters/peft_plain")
    for dtype in (np.int8, np.float64, np.dtype(np.float32).newbyteorder()):
        with pytest.raises(ValueError, match="dtype must be one of float32, float16"):
            adapter.factors(0, dtype)
    with pytest.raises(ValueError, match="format must be one of None, peft, mlx-lm"):
        loratune.Adapter(tmp_path, format="q")
    with pytest.raises(ValueError, match="format must be one of None, peft, mlx-lm"):
        adapter.save(tmp_path / "q", "q")
    with pytest.raises(OverflowError, match="rank ="):
        loratune.Adapter(tmp_path, format="metal-candle", rank=2**64 + 8)
