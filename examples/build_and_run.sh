#!/usr/bin/env bash
# Builds an example against an installed package, as the first lines of the example say, and runs it.
#
#     build_and_run.sh c|cpp|go|rust PREFIX FOLDER TUNED_FILE
set -euo pipefail
language=$1 prefix=$2 folder=$3 tuned=$4
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

need() {
  command -v "$1" >/dev/null || { echo "skipped: there is no $1"; exit 77; }
}

need pkg-config
pc=$(find "$prefix" -name loratune-cl.pc -printf '%h' -quit)
export PKG_CONFIG_PATH=$pc LD_LIBRARY_PATH=${pc%/pkgconfig}
rm -rf "$folder"
mkdir -p "$folder"
case $language in
  c)
    # shellcheck disable=SC2046
    "${CC:-cc}" -std=c11 -Wall -Wextra -Werror "$here/c/lora.c" $(pkg-config --cflags --libs loratune-cl) \
      -lm -o "$folder/lora"
    ;;
  cpp)
    cmake -S "$here/cpp" -B "$folder" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release >/dev/null
    cmake --build "$folder"
    "$folder/lora_c"
    "$folder/lora_c_by_pkg_config"
    ;;
  go)
    need go
    cp "$here/go/lora.go" "$folder"
    (cd "$folder" && GOCACHE=$folder/cache GOFLAGS=-buildvcs=false GO111MODULE=off go build -o lora lora.go)
    ;;
  rust)
    command -v cargo >/dev/null || PATH=$PATH:$HOME/.cargo/bin
    need cargo
    CARGO_TARGET_DIR=$folder/target cargo build --quiet --offline --release --manifest-path "$here/rust/Cargo.toml"
    ln -s target/release/lora "$folder/lora"
    ;;
esac
"$folder/lora"
"$folder/lora" "$tuned"
