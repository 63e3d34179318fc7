"""What the scripts read and print. A fault of either is one line and exit code 2, as it is of lora-bench."""

import gzip
import json
import os
import signal
import stat
import sys
import zlib
from pathlib import Path

USAGE = 2  # exit code
GZIP = b"\x1f\x8b"


class Refused(ValueError):
    """Why a file or a program is not what a script needs, in a line that names it."""


def reason(error):
    """The words of an OSError without its number and its path."""
    return error.strerror or str(error)


def read_bytes(path):
    """The bytes of a regular file, unpacked where gzip compressed it. Raises Refused."""

    def opener(name, flags):
        return os.open(name, flags | os.O_NONBLOCK)  # opening a pipe would wait for whoever writes into it

    try:
        with open(path, "rb", opener=opener) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Refused(f"{path}: it is no regular file")
            data = file.read()
    except OSError as error:
        raise Refused(f"{path}: {reason(error)}") from None
    try:
        return gzip.decompress(data) if data.startswith(GZIP) else data
    except (OSError, EOFError, zlib.error) as error:
        raise Refused(f"{path}: it is damaged: {error}") from None


def read_text(path, encoding="utf-8"):
    """The text of a regular file. Raises Refused."""
    try:
        return read_bytes(path).decode(encoding).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise Refused(f"{path}: {error}") from None


def json_of(text, name, what="JSON"):
    """What a text is as JSON. Raises Refused, which calls the text by the name, and says what it should be."""
    try:
        return json.loads(text)
    except RecursionError:
        raise Refused(f"{name}: its JSON is nested too deeply") from None
    except ValueError as error:
        raise Refused(f"{name}: it is no {what}: {error}") from None


def read_json(path, what="JSON"):
    return json_of(read_text(path), path, what)


def program(path):
    """The absolute path of a program, for a call from any folder. Raises Refused where there is none."""
    path = Path(path).resolve()
    if not path.is_file() or not os.access(path, os.X_OK):
        raise Refused(f"{path}: there is no such program (scripts/setup run builds lora-bench)")
    return path


def run(main):
    """Ends the process with what main() returns. What is refused, and output that is lost, is one line."""
    if sys.stdout is None:  # it is closed, and print() would say nothing of what it loses
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")
    line = None
    try:
        try:
            code = main()
        except SystemExit as end:  # also of --help, which prints
            code = end.code
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough
        code = 128 + signal.SIGPIPE
    except OSError as error:
        line = f"{error.filename}: {reason(error)}" if error.filename else f"the output is not whole: {reason(error)}"
    except Refused as error:
        line = str(error)
    if line is not None:
        print(f"{Path(sys.argv[0]).name}: {line}", file=sys.stderr)
        code = USAGE
    try:
        sys.stdout.flush()
    except OSError:  # at its end Python flushes once more, and would complain in its own words
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
