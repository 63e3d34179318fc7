# Runs in a bare Debian of scripts/prove-package: installs the wheel of /given by pip, and runs the example. pip
# may ask no index, so that what the wheel does not name, and Debian's pyopencl does not bring, is missing.
set -euo pipefail
say() { echo "in the chroot: $*" >&2; }
fail() { say "$*"; exit 1; }

apt-get -q update >/dev/null
say "installing Python, pyopencl and a driver"
apt-get -q install --yes --no-install-recommends python3-venv python3-pyopencl pocl-opencl-icd \
  >/apt.log 2>&1 || { tail -20 /apt.log; fail "they could not be installed"; }
python3 -m venv --system-site-packages /venv
say "pip install $(cd /given && echo *.whl)"
/venv/bin/pip install --quiet --no-index /given/*.whl
cd /
/venv/bin/python -c "
import loratune
assert loratune.__file__.startswith('/venv/'), loratune.__file__
print('loratune', loratune.version(), 'of', loratune.__file__)"
PYTHONDONTWRITEBYTECODE=1 /venv/bin/python /given/examples/python/tune_and_check.py || fail "the example ends with $?"
say "good"
