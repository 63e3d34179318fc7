# Runs in the bare Debian of scripts/prove-package: installs /debs, then does what a new user would.
set -euo pipefail
say() { echo "in the chroot: $*" >&2; }
fail() { say "$*"; exit 1; }

apt-get -q update >/dev/null
say "installing $(cd /debs && echo *.deb)"
apt-get -q install --yes --no-install-recommends /debs/*.deb pocl-opencl-icd gcc libc6-dev pkgconf >/apt.log 2>&1 ||
  { tail -20 /apt.log; fail "the packages could not be installed"; }

lora-bench --version
lora-bench --list | head -5
lora-bench --pick fwd_m1_k1024_n1024_r8_f16_acc --tuned /usr/share/loratune/tuned/pocl-epyc-2-cores.json | head -3
lora-bench --check --problem m3_k64_n64_r4_f32_acc --variants split
[[ -f /usr/share/loratune/schema/tuned-v1.schema.json ]] || fail "no schema"
[[ -s /usr/share/man/man1/lora-bench.1 ]] || [[ -s /usr/share/man/man1/lora-bench.1.gz ]] || fail "no man page"

# Completion in a real bash.
source /usr/share/bash-completion/completions/lora-bench
COMP_WORDS=(lora-bench --sweep --bud) COMP_CWORD=2
_lora_bench
[[ ${COMPREPLY[*]} == --budget ]] || fail "completion of --bud is '${COMPREPLY[*]}'"

if [[ -d /examples/c ]]; then
  for source in /examples/c/*.c; do
    name=$(basename "$source" .c)
    say "cc $name"
    # shellcheck disable=SC2046
    cc -Wall "$source" -o "/$name" $(pkg-config --cflags --libs loratune-cl) -lm
    "/$name" /usr/share/loratune/tuned/pocl-epyc-2-cores.json
  done
else
  fail "there is no example in C"
fi
say "good"
