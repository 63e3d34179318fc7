"""lora-bench refuses hostile adapters with exit code 2 and one line that names the file, within 2 s of processor time
and 16 MiB of memory (20 beside the largest config) beyond what the program takes anyway and the size of the files,
and writes nothing.

    python3 tests/check_hostile_adapters.py LORA_BENCH
"""

import json
import multiprocessing
import os
import struct
import sys
import tempfile
import unittest
from pathlib import Path

BENCH = sys.argv.pop(1)
MODEL, CONFIG = "adapter_model.safetensors", "adapter_config.json"
MIB = 1 << 20
PLAIN = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]}
EMPTY = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'


def header(path, parts):
    """A safetensors file whose header is the parts one behind the other."""
    with path.open("wb") as file:
        file.write(bytes(8))
        for part in parts:
            file.write(part.encode())
        length = file.tell() - 8
        file.seek(0)
        file.write(struct.pack("<Q", length))
    return length


def tensors(names):
    yield '{"__metadata__":null'
    for name in names:
        yield f',"{name}":{EMPTY}'
    yield "}"


def factors(path, count, name_of):
    """Factors of PEFT, A[4,1] and B[1,4], or of mlx-lm, A[1,4] and B[4,1]."""

    def parts():
        yield '{"__metadata__":null'
        for i in range(count):
            name = name_of(i)
            shape = "1,4" if name.endswith(("lora_B", "lora_a")) else "4,1"
            name += "" if name.endswith(("lora_a", "lora_b")) else ".weight"
            yield f',"{name}":{{"dtype":"F32","shape":[{shape}],"data_offsets":[{16 * i},{16 * i + 16}]}}'
        yield "}"

    header(path, parts())
    os.truncate(path, path.stat().st_size + 16 * count)


def remarks(count):
    yield '{"__metadata__":{"a":"b"'
    for i in range(count):
        yield f',"{i}":""'
    yield "}}"


def gguf(path, texts, count):
    """A GGUF adapter of so many texts of 1 KiB and so many halves of pairs."""
    known = {"general.type": "adapter", "adapter.type": "lora", "general.architecture": "qwen2"}

    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    def pair(key, value):
        return text(key) + struct.pack("<I", 8) + text(value)

    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, count, len(known) + texts))
        for key, value in known.items():
            file.write(pair(key, value))
        for i in range(texts):
            file.write(pair(str(i), "x" * 1024))
        for i in range(count):
            file.write(text(f"{i:0100}.weight.lora_a") + struct.pack("<IQQIQ", 2, 4, 1, 0, 32 * i))
        file.truncate(-(-file.tell() // 32) * 32 + 32 * count)


def repeated(begin, part, size, end):
    chunk = part * (MIB // len(part))
    return [begin, *[chunk] * (size // len(chunk)), end]


def run(arguments):
    """The exit code, the complaint, seconds of processor time and MiB at most."""
    with tempfile.TemporaryFile() as complaint, open(os.devnull, "rb") as nothing:
        moves = [
            (os.POSIX_SPAWN_DUP2, nothing.fileno(), 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, complaint.fileno(), 2),
        ]
        words = [BENCH, *arguments]
        _, status, used = os.wait4(os.posix_spawn(BENCH, words, os.environ, file_actions=moves), 0)
        complaint.seek(0)
        text = complaint.read().decode()
    return os.waitstatus_to_exitcode(status), text, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


class HostileAdapters(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # A process counts as large as the one that started it, so one that stays small starts them.
        cls.starter = multiprocessing.Pool(1)
        cls.addClassCleanup(cls.starter.terminate)
        cls.base = cls.starter.apply(run, (["--list", "--adapter", os.devnull],))[3]

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.adapter = Path(folder.name) / "adapter"
        self.adapter.mkdir()
        self.out = Path(folder.name) / "out"
        self.model = self.adapter / MODEL
        self.config(PLAIN)

    def config(self, members):
        (self.adapter / CONFIG).write_text(json.dumps(members))

    def run_it(self, *arguments):
        return self.starter.apply(run, ([*arguments, "--adapter", str(self.adapter)],))

    def refused_at(self, path, words, *arguments, most=16):
        # No more of a file is looked at than a header may have.
        sizes = sum(min(file.stat().st_size / MIB, 100) for file in self.adapter.iterdir() if file.is_file())
        code, text, seconds, memory = self.run_it(*arguments)
        self.assertEqual(code, 2, text)
        self.assertRegex(text, rf"\Alora-bench: .*{path.name}.*{words}.*\n\Z")
        self.assertLess(seconds, 2)
        self.assertLess(memory - self.base - sizes, most)
        self.assertFalse(self.out.exists())

    def conversion(self, to):
        return ["--convert", "--to", to, "--out", str(self.out)]

    def refused(self, words, *more, most=16):
        self.refused_at(self.adapter, words, "--list", *more, most=most)
        self.refused_at(self.adapter, words, *self.conversion("mlx-lm"), *more, most=most)

    def converted(self, to):
        code, text, seconds, _ = self.run_it(*self.conversion(to))
        self.assertEqual(code, 0, text)
        self.assertLess(seconds, 2)

    def test_headers_of_one_long_word(self):
        for begin, part, end, words in (
            ('{"', "a", '":1}', "a string of more than"),
            ("{", " ", "}", "blanks in a row"),
            ('{"a":{"shape":[', "1", "]}}", "a number of more than"),
            ('{"a":', "[", "", "wants an object"),
            ("", '{"a":', "", "wants dtype|wants a list|has a member"),
            ('{"__metadata__":{"a":"', "x", '"}}', "a string of more than"),
            ('{"a":{"dtype":"F32","shape":[', "1,", '1],"data_offsets":[0,4]}}', "extents"),
        ):
            with self.subTest(begin + part):
                header(self.model, repeated(begin, part, 90 * MIB, end))
                self.refused(words)

    def test_headers_of_many_tensors(self):
        header(self.model, tensors(map(str, range(1_500_000))))
        self.refused("more than 100000 tensors")
        header(self.model, tensors("a" for _ in range(99_000)))
        self.refused("stands twice")
        header(self.model, remarks(3_000_000))
        self.refused("too many members")

    def test_many_remarks_beside_many_keys_with_escapes(self):
        def parts(remarks, escaped):
            yield '{"__metadata__":{"a":"' + "b" * 1_000_000 + '"'
            for i in range(remarks):
                yield f',"{i:01000}":""'
            yield "}"
            for i in range(100_000):
                name = f"{chr(92)}u0061{i:06}" if i < escaped else f"{i:0106}"
                yield f',"{name}":{EMPTY}'
            yield "}"

        header(self.model, parts(4000, 100_000))
        self.refused("too many members")
        header(self.model, parts(1000, 100_000))
        self.refused("keys with escapes")
        header(self.model, parts(1000, 20_000))
        self.refused("is no key of a LoRA pair")

    # As much as the reader may hold at the worst: 100,000 keys of 120 bytes.
    def test_many_halves(self):
        factors(self.model, 100_000, lambda i: f"{i:0106}.lora_A")
        self.refused("its other half is missing")

    def test_many_pairs(self):
        factors(self.model, 100_000, lambda i: f"{i // 2:0106}.lora_{'AB'[i % 2]}")
        self.refused("its config names none of its 50000 modules")

    def test_many_gguf_tensors(self):
        self.model = self.adapter / "adapter.gguf"
        gguf(self.model, 16_000, 100_000)
        self.refused("its other half is missing")

    def test_files_of_many_gigabytes(self):
        header(self.model, [json.dumps({"a.lora_A.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}})])
        os.truncate(self.model, 10 << 30)
        self.refused("end at byte 16|the shape")
        os.truncate(self.adapter / CONFIG, 10 << 30)
        self.refused("is larger than 4 MiB")

    def test_configs(self):
        factors(self.model, 1000, lambda i: f"{'a' * 400}{i // 2}.lora_{'AB'[i % 2]}")
        self.config({**PLAIN, "alpha_pattern": {f"(a*)*b{i}": 4 for i in range(4000)}})
        self.refused("takes too long to match")
        self.config({**PLAIN, "target_modules": "((a|b|ab)*)*c"})
        self.refused("names none|takes too long to match")
        self.config({str(i): {str(10**15 + j): 1 for j in range(8190)} for i in range(15)})
        self.refused("peft_type")

    def test_patterns_that_are_repeated_into_nothing(self):
        factors(self.model, 2, lambda i: f"q_proj.lora_{'AB'[i % 2]}")
        self.config({**PLAIN, "r": 4, "alpha_pattern": {f"(((){{1000}})){{60}}{i}z": 1 for i in range(8000)}})
        self.refused("takes too long to read")

    def test_go_mlx_folders_of_many_links(self):
        (self.adapter / CONFIG).write_text('{"rank": 4, "alpha": 8}')
        self.model = self.adapter / "adapters.safetensors"
        header(self.model, tensors(f"layers.{i:08}.{'z' * 90}.lora_a" for i in range(100_000)))
        for i in range(25):
            os.link(self.model, self.adapter / f"{i}.safetensors")
        self.refused("more than 100000 tensors with the adapter's other files")

    def test_many_keys_that_lenient_reading_skips(self):
        factors(self.model, 100_000, lambda i: f"{i:0106}.lora_A")
        self.refused("holds no LoRA module", "--lenient")

    # The largest config beside the most tensors.
    def test_long_lists_beside_many_pairs(self):
        factors(self.model, 100_000, lambda i: f"{i // 2:0106}.lora_{'AB'[i % 2]}")
        names = [f"{i:027}" for i in range(65_000)]
        self.config({**PLAIN, "r": 4, "target_modules": names, "exclude_modules": names})
        self.refused("its config names none of its 50000 modules", most=20)
        self.model.unlink()
        self.model = self.adapter / "adapters.safetensors"
        factors(self.model, 100_000, lambda i: f"layers.{i // 2:08}.{'z' * 90}.lora_{'ab'[i % 2]}")
        names = [f"{i:059}" for i in range(62_000)]
        self.config({"num_layers": 50_000, "lora_parameters": {"rank": 4, "scale": 1, "dropout": 0, "keys": names}})
        self.refused("its config names none of its 50000 modules", most=20)
        self.config({"rank": 1, "alpha": 8, "lora_layers": names})
        self.refused("its config names none of its 50000 modules", most=20)

    # The adapter is sound here, so that its modules are made.
    def test_many_pairs_that_the_target_cannot_hold(self):
        factors(self.model, 100_000, lambda i: f"{i // 2:0106}.lora_{'AB'[i % 2]}")
        self.config({"peft_type": "LORA", "r": 4, "alpha_pattern": {f"{49_999:0106}": 3}})
        self.refused_at(self.out, "has one for all modules", *self.conversion("mlx-lm"), most=32)
        self.refused_at(self.out, "its config would be larger than 4 MiB", *self.conversion("peft"), most=32)

    def test_a_conversion_takes_time_by_the_size(self):
        self.config({"peft_type": "LORA", "r": 4})
        factors(self.model, 40_000, lambda i: f"{i // 2:0106}.lora_{'AB'[i % 2]}")
        self.converted("mlx-lm")

    def test_what_is_no_file(self):
        os.mkfifo(self.model)
        self.refused("is no regular file")
        self.model.unlink()
        self.model.symlink_to(MODEL)
        self.refused("Too many levels")


if __name__ == "__main__":
    unittest.main()
