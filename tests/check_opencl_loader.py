"""Checks that harness/opencl/loader.cpp, with which lora-bench is linked where no libOpenCL is, has each of
OpenCL's functions that the libraries call.

    python3 tests/check_opencl_loader.py ROOT LIBRARY...

It plants the fault itself: a loader without one of the functions must be found.
"""

import re
import subprocess
import sys
from pathlib import Path

FUNCTION = re.compile(r"\bcl[A-Z]\w+")


def missing(loader, undefined):
    return sorted(set(FUNCTION.findall(undefined)) - set(FUNCTION.findall(loader)))


def main(root, libraries):
    loader = (Path(root) / "harness" / "opencl" / "loader.cpp").read_text(encoding="utf-8")
    undefined = subprocess.run(["nm", "-u", *libraries], capture_output=True, text=True, check=True).stdout
    problems = [f"harness/opencl/loader.cpp lacks {name}" for name in missing(loader, undefined)]
    planted = loader.replace("clEnqueueNDRangeKernel", "")
    if missing(planted, undefined) != sorted([*missing(loader, undefined), "clEnqueueNDRangeKernel"]):
        problems.append("a loader without clEnqueueNDRangeKernel is not found")
    print("\n".join(problems) or "the loader has every function of OpenCL that the libraries call")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
