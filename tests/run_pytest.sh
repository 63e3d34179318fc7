#!/usr/bin/env bash
# Runs pytest on a folder with the system's Python; 77 where what it needs is not installed.
if ! /usr/bin/python3 -c "import pytest" 2>/dev/null; then
  echo "skipped: Python has no pytest (package python3-pytest)"
  exit 77
fi
exec "$(dirname -- "${BASH_SOURCE[0]}")/run_python.sh" -m pytest -q -p no:cacheprovider -rs "$@"
