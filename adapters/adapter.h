// An Adapter is the LoRA factors of a model's modules in one canonical form, whichever tool wrote
// its files: y = base + scale * (x A^T) B^T with A[rank,in] and B[out,rank]. The factors stay in
// the mapped files until they are asked for.
//
// Threads: plain data and functions of values: what any number of threads may read at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loratune/adapters/element.h"

namespace loratune {

enum class Format : std::uint8_t { peft, mlx_lm, go_mlx, metal_candle, gguf };
inline constexpr Format kFormats[] = {Format::peft, Format::mlx_lm, Format::go_mlx,
                                      Format::metal_candle, Format::gguf};
// `peft`, `mlx-lm`, `go-mlx`, `metal-candle`, `gguf`.
std::string_view to_string(Format format);
std::optional<Format> parse_format(std::string_view name);

// A matrix of rows x cols. With `transposed`, the bytes hold the transposed matrix.
struct Factor {
  Element element = Element::f32;
  std::int64_t rows = 0, cols = 0;
  bool transposed = false;
  std::span<const std::byte> bytes;
};

// The matrix row by row: as floats, and as the stored numbers of a plain element.
std::vector<float> values_of(const Factor& factor);
std::vector<std::byte> rows_of(const Factor& factor);
// The transpose of the same bytes.
Factor transpose(Factor factor);

// `path` is the module's name in the model, as the file spells it. `alpha` is what a config says or
// would have to say; the product uses `scale` alone. `matched`: the config names this module, so
// the tool that wrote the adapter would use the module. `magnitude`: with DoRA, which
// LoadOptions::dora asks for, what each of the `out` rows of W + scale B A is scaled to, one a row;
// without rows where there is no DoRA. dora_gains() makes factors of them.
struct LoraModule {
  std::string path;
  Factor a, b;
  double alpha = 0, scale = 0;
  bool matched = true;
  Factor magnitude = {};

  std::int64_t rank() const { return a.rows; }
  std::int64_t in() const { return a.cols; }
  std::int64_t out() const { return b.rows; }
};

// A file as it was when it was mapped: its path without links, which file that is, and how large it
// was and when it had been written to last.
struct FileState {
  std::string path;
  std::uint64_t device = 0, inode = 0;
  std::int64_t bytes = 0, seconds = 0, nanoseconds = 0;
};

// `modules` are sorted by path. `notes` are what the user should know, and `skipped` what lenient
// reading left out, one line each; a line behind the first 1000 says how many more keys there are.
// `architecture` is GGUF's word for the model. `changes_base`: the tool that wrote the adapter
// changes the base's weights when it loads it, and the first note says how. `storage` keeps the
// factors' bytes valid, those in `files` as long as nobody writes to these.
struct Adapter {
  Format format = Format::peft;
  std::string architecture;
  std::vector<LoraModule> modules;
  std::vector<std::string> notes, skipped;
  bool changes_base = false;
  std::shared_ptr<const void> storage;
  std::vector<FileState> files;
};

// Empty, or in one line which file was written to since the adapter was loaded. Its factors are
// then not what was loaded, and to read those behind the end of a file that was cut ends the
// process (SIGBUS). A file that was removed or replaced by another is still the one that is mapped.
// A write that keeps the size and the time of the last one, or comes while factors are read, goes
// unseen.
std::string changed_file(const Adapter& adapter);

// The module of that path, or the only one whose path ends with `.` and the name. Null, with the
// reason in `why`, where there is none or more than one.
const LoraModule* find_module(const Adapter& adapter, std::string_view name, std::string& why);

}  // namespace loratune
