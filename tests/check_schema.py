"""Says of each file of a folder, in the order of names, whether a JSON Schema accepts it: y or n."""

import json
import pathlib
import sys

try:
    from jsonschema import Draft202012Validator
except ImportError:
    sys.exit(77)


def refuse(constant):
    raise ValueError(constant + " is no JSON")


schema = json.loads(pathlib.Path(sys.argv[1]).read_text())
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for path in sorted(pathlib.Path(sys.argv[2]).iterdir()):
    try:
        document = json.loads(path.read_bytes().decode(), parse_constant=refuse)
        accepted = validator.is_valid(document)
    except (ValueError, RecursionError):
        accepted = False
    print("y" if accepted else "n", end="")
