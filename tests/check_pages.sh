#!/usr/bin/env bash
# The pages that `lora-bench --print` generates, read by the programs that they are for.
#     check_pages.sh LORA_BENCH
set -euo pipefail
bench=$1
fail() { echo "$*" >&2; exit 1; }

if command -v groff >/dev/null; then
  warnings=$("$bench" --print man | groff -man -Tutf8 -ww -z 2>&1)
  [[ -z $warnings ]] || fail "groff warns of the man page: $warnings"
  planted=$({ "$bench" --print man; echo ".nosuchrequest"; } | groff -man -Tutf8 -ww -z 2>&1)
  [[ -n $planted ]] || fail "groff does not warn of a request that there is not"
else
  echo "groff is not installed: the man page was not read"
fi

# shellcheck disable=SC1090
source <("$bench" --print bash)
complete_words() {
  COMP_WORDS=(lora-bench "$@")
  COMP_CWORD=$#
  COMPREPLY=()
  _lora_bench
  echo "${COMPREPLY[*]}"
}
[[ $(complete_words --swe) == --sweep ]] || fail "--swe is completed as: $(complete_words --swe)"
[[ $(complete_words --sweep --bud) == --budget ]] || fail "--sweep --bud: $(complete_words --sweep --bud)"
[[ -z $(complete_words --list --bud) ]] || fail "--list, which has no budget: $(complete_words --list --bud)"
[[ -z $(complete_words --sweep --out "") ]] || fail "a value: $(complete_words --sweep --out "")"
if command -v zsh >/dev/null; then
  "$bench" --print zsh | zsh -n
else
  echo "zsh is not installed: its completion was not read"
fi
