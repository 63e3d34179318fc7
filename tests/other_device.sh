#!/usr/bin/env bash
# Runs part of the correctness matrix on an OpenCL implementation other than PoCL.
# usage: other_device.sh rusticl|intel|oclgrind LORA_BENCH VARIANT
# exit: 0 all correct and nothing reported; 77 the implementation is not installed, or its device is
# not what the variant needs; else a failure.
set -euo pipefail
kind=$1 bench=$2 variant=$3
export OPENBLAS_NUM_THREADS=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Which device a variant needs is for lora-bench to say.
check() {
  local code=0
  "$bench" --check --variants "$variant" "$@" 2>"$work/err" || code=$?
  cat "$work/err" >&2
  ((code)) || return 0
  ! grep -q "nothing to check: $variant needs" "$work/err" || exit 77
  exit "$code"
}

case $kind in
  rusticl)
    [ -e /etc/OpenCL/vendors/rusticl.icd ] || { echo "skipped: mesa-opencl-icd is not installed"; exit 77; }
    export RUSTICL_ENABLE=llvmpipe OCL_ICD_VENDORS=rusticl.icd LP_NUM_THREADS=2
    # llvmpipe leaves a loop after 65535 rounds. An output of naive takes k * rank of them, and even a
    # problem of one output must stay below.
    flops=9e6
    [ "$variant" != naive ] || flops=1.3e5
    check --device rusticl --cases 40 --max-flops "$flops"
    ;;
  intel)
    # `pip install intel-opencl-rt intel-cmplr-lib-rt` puts its libraries into lib/ of pip's environment.
    lib=${INTEL_OPENCL:-}
    [ -e "$lib/libintelocl.so" ] || { echo "skipped: INTEL_OPENCL names no folder with libintelocl.so"; exit 77; }
    # All but the ICD loader beside it, which needs what these two packages do not hold.
    mkdir "$work/lib" "$work/vendors"
    ln -s "$(readlink -f -- "$lib")"/* "$work/lib"
    rm -f "$work"/lib/libOpenCL.so*
    echo "$work/lib/libintelocl.so" >"$work/vendors/intel.icd"
    export LD_LIBRARY_PATH=$work/lib OCL_ICD_VENDORS=$work/vendors
    check --device Intel --cases 40
    ;;
  oclgrind)
    icd=$(ls /usr/lib/oclgrind/liboclgrind-rt-icd.so /usr/lib/*/oclgrind/liboclgrind-rt-icd.so 2>/dev/null | head -n 1 || true)
    [ -n "$icd" ] || { echo "skipped: oclgrind is not installed"; exit 77; }
    # A device of 64 work-items and 16 KiB of local memory; races and stray accesses are reported.
    # Its --uninitialized is left out: it ends at LLVM's `freeze`, which any division compiles to.
    export OCL_ICD_VENDORS=$icd OCLGRIND_DATA_RACES=1 OCLGRIND_CHECK_API=1
    export OCLGRIND_MAX_WGSIZE=64 OCLGRIND_LOCAL_MEM_SIZE=16384 OCLGRIND_LOG=$work/log
    check --device Oclgrind --cases 15 --max-flops 1e6
    # oclgrind never fails by itself: kernels' faults are in the log, the host's on stderr.
    if [ -s "$work/log" ] || grep -q "Oclgrind" "$work/err"; then
      cat "$work/log"
      echo "oclgrind reported the above"
      exit 1
    fi
    ;;
esac
