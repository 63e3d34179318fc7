#!/usr/bin/env bash
# Plants variants that are no variants into a copy of variants/ and kernels/: each must fail the build
# with the line that says what to do.
# usage: planted_variants.sh ROOT CXX
set -euo pipefail
root=$1 cxx=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fresh() {  # a copy, small enough to be configured in a moment
  rm -rf "${work:?}/tree"
  mkdir -p "$work/tree/include/loratune"
  cp -r "$root/variants" "$root/kernels" "$root/cmake" "$work/tree"
  ln -s ../../variants "$work/tree/include/loratune/variants"
  printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' 'project(planted LANGUAGES NONE)' \
    'list(APPEND CMAKE_MODULE_PATH ${PROJECT_SOURCE_DIR}/cmake)' 'include(LoratuneVariants)' > "$work/tree/CMakeLists.txt"
  cd "$work/tree"
}
configure() { cmake -S . -B build; }
compile() {  # of a stem
  cmake -DNAME="$1" -DKERNELS=kernels -DOUT="kernels/$1.cl.h" -P cmake/embed_kernels.cmake
  "$cxx" -std=c++20 -fsyntax-only -I. -Iinclude "variants/$1.cpp"
}
must_pass() { "$@" > "$work/log" 2>&1 || { cat "$work/log"; echo "FAILED: sound, but: $*"; exit 1; }; }
must_fail() {  # with a text
  local text=$1
  shift
  if "$@" > "$work/log" 2>&1; then echo "FAILED: built, and should not have: $*, wanted: $text"; exit 1; fi
  # CMake breaks lines.
  tr -s ' \n' ' ' < "$work/log" | grep -qF -- "$text" || { cat "$work/log"; echo "FAILED: no word of: $text"; exit 1; }
}

fresh
must_pass configure
must_pass compile naive

for part in supports plan tiles fit; do
  fresh
  perl -0pi -e "s/\\.$part = (\{[^}]*\}|\\w+)(,\\s*|(?=\}))//" variants/naive.cpp
  must_fail "a variant states " compile naive
  grep -q "\.$part" "$work/log" || { cat "$work/log"; echo "FAILED: no word of $part"; exit 1; }
done

# A copy under another stem: as it is; with its own kernel, but the other's namespace; all but one place.
fresh
cp variants/naive.cpp variants/foo.cpp
must_fail 'there is no kernels/foo.cl: a variant is these two files' configure
cp kernels/naive.cl kernels/foo.cl
must_fail 'Write #include "kernels/foo.cl.h", and no other kernel' configure
sed -i 's|kernels/naive.cl.h|kernels/foo.cl.h|' variants/foo.cpp
must_fail 'Write namespace loratune::foo {' configure
sed -i 's|loratune::naive|loratune::foo|' variants/foo.cpp
must_pass configure
must_pass compile foo
sed -i '1i #include "kernels/naive.cl.h"' variants/foo.cpp
must_fail 'Write #include "kernels/foo.cl.h", and no other kernel' configure

fresh
rm variants/naive.cpp
must_fail 'kernels/naive.cl has no variants/naive.cpp' configure
echo "every planted variant failed with its line"
