# Runs in a bare Debian of scripts/prove-package: installs the .deb of /given, then does what a new user would.
set -euo pipefail
say() { echo "in the chroot: $*" >&2; }
fail() { say "$*"; exit 1; }
install() {
  apt-get -q install --yes --no-install-recommends "$@" >/apt.log 2>&1 ||
    { tail -20 /apt.log; fail "$* could not be installed"; }
}
# Runs a program, which says whether its y is right, and shows what it says.
run() { "$@" || fail "$1 ends with $?"; }

apt-get -q update >/dev/null
say "installing $(cd /given && echo *.deb) and a driver"
install /given/*.deb pocl-opencl-icd
tuned=/usr/share/loratune/tuned/pocl-epyc-2-cores.json

say "lora-bench"
lora-bench --version
lora-bench --list | sed -n 1,5p
lora-bench --pick fwd_m1_k1024_n1024_r8_f16_acc --tuned "$tuned" | sed -n 1,3p
lora-bench --check --problem m3_k64_n64_r4_f32_acc --variants split
[[ -f /usr/share/loratune/schema/tuned-v1.schema.json ]] || fail "no schema"
[[ -s /usr/share/man/man1/lora-bench.1 || -s /usr/share/man/man1/lora-bench.1.gz ]] || fail "no man page"
for package in libloratune0 libloratune-dev loratune-tools; do
  [[ -s /usr/share/doc/$package/copyright ]] || fail "$package has no copyright file"
done
doc=/usr/share/doc/libloratune-dev
[[ -s $doc/docs/other-languages.md && -s $doc/engine/engine.h ]] || fail "no documents, or no headers beside them"

say "completion in a real bash"
# shellcheck source=/dev/null
source /usr/share/bash-completion/completions/lora-bench
# shellcheck disable=SC2034
COMP_WORDS=(lora-bench --sweep --bud) COMP_CWORD=2
_lora_bench
[[ ${COMPREPLY[*]} == --budget ]] || fail "completion of --bud is '${COMPREPLY[*]}'"

# A compiler of C and pkg-config are all that is installed beside the packages.
install gcc libc6-dev pkgconf
cd "$doc/examples/c"
say "the example in C"
# shellcheck disable=SC2046
cc -std=c11 -Wall lora.c $(pkg-config --cflags --libs loratune-cl) -o /lora
run /lora
run /lora "$tuned"
[[ -z $(ldd /lora | grep "not found") ]] || fail "a library is not found"

install g++ cmake make
say "the example in C++"
cmake -S "$doc/examples/cpp" -B /cpp -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build /cpp >/dev/null
run /cpp/lora "$tuned"
run /cpp/lora_c "$tuned"
run /cpp/lora_c_by_pkg_config "$tuned"
say "good"
