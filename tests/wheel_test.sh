#!/usr/bin/env bash
# Makes a wheel of a build, installs it with pip into an environment of its own, and runs an example there.
#
#     wheel_test.sh SOURCE BUILD FOLDER
set -euo pipefail
source=$1 build=$2 folder=$3
skip() { echo "skipped: $1"; exit 77; }
command -v patchelf >/dev/null || skip "there is no patchelf"
for module in wheel venv ensurepip numpy pyopencl; do
  /usr/bin/python3 -c "import $module" 2>/dev/null || skip "Python has no $module"
done
rm -rf "$folder"
mkdir -p "$folder/dist"
other=$folder/dist/loratune-0.0.1-py3-none-any.whl
touch "$other"
for _ in once again; do /usr/bin/python3 "$source/python/make_wheel.py" "$build" "$folder/dist"; done
[[ -e $other ]] || { echo "a wheel of another name is gone"; exit 1; }
rm "$other"
[[ $(find "$folder/dist" -mindepth 1 | wc -l) == 1 ]] || { echo "more than one wheel is left"; exit 1; }
/usr/bin/python3 -m venv --system-site-packages "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-index --no-deps "$folder"/dist/*.whl
cd "$folder"
# Not the source's package, nor the build's libraries.
env -u PYTHONPATH -u LD_LIBRARY_PATH "$folder/venv/bin/python" - <<'CHECK'
import loratune, pathlib, sys
assert pathlib.Path(loratune.__file__).is_relative_to(sys.prefix), loratune.__file__
assert "lib/libloratune.so.0" in str(loratune._library.library()), loratune._library.library()
CHECK
env -u PYTHONPATH -u LD_LIBRARY_PATH PYTHONDONTWRITEBYTECODE=1 "$folder/venv/bin/python" \
  "$source/examples/python/tune_and_check.py"
