#!/usr/bin/env bash
# Runs a program with the system's Python; 77 where what it needs is not installed.
for module in numpy pyopencl; do
  if ! /usr/bin/python3 -c "import $module" 2>/dev/null; then
    echo "skipped: Python has no $module (package python3-$module)"
    exit 77
  fi
done
exec /usr/bin/python3 "$@"
