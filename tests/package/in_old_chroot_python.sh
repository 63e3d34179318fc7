# Runs in a bare Debian of scripts/prove-package that is older than the compiler: installs the wheel of /given by
# pip, and does what needs no OpenCL device. (PoCL 1.6, Debian 11's, compiles none of the kernels that add to y.)
set -euo pipefail
say() { echo "in the chroot: $*" >&2; }

apt-get -q update >/dev/null
say "installing Python and OpenCL's loader"
apt-get -q install --yes --no-install-recommends python3-venv python3-numpy ocl-icd-libopencl1 >/apt.log 2>&1 ||
  { tail -20 /apt.log; say "they could not be installed"; exit 1; }
python3 -m venv --system-site-packages /venv
say "pip install $(cd /given && echo *.whl), under $(ldd --version | sed -n 1p)"
/venv/bin/pip install --quiet --no-index /given/*.whl
cd /
/venv/bin/python - /given/pocl-epyc-2-cores.json <<'CHECK'
import pathlib
import subprocess
import sys

import numpy as np

import loratune

random = np.random.default_rng(1)
x, a, b = (random.standard_normal(shape).astype(np.float32) for shape in ((5, 96), (8, 96), (80, 8)))
y = np.zeros((5, 80), np.float32)
loratune.forward_host(x, a, b, y)
wanted = x.astype(float) @ a.T.astype(float) @ b.T.astype(float)
assert abs(y - wanted).max() <= 1e-5 * abs(wanted).max(), "forward_host is wrong"
tool = pathlib.Path(loratune.__file__).parent / "bin" / "lora-bench"
pick = [tool, "--pick", "m16_k1024_n1024_r8_f32_acc", "--tuned", sys.argv[1]]
print(subprocess.run(pick, check=True, capture_output=True, text=True).stdout.splitlines()[0])
CHECK
say "good"
