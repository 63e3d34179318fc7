#include "loratune/adapters/adapter.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "adapters/internal/fault.h"

namespace loratune {
namespace {

// Element (i, j) of a rows x cols matrix goes to (j, i) of its transpose.
template <class T>
std::vector<T> transposed(const std::vector<T>& source, std::size_t rows, std::size_t cols,
                          std::size_t width) {
  std::vector<T> target(source.size());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < cols; ++j) {
      std::copy_n(source.data() + (i * cols + j) * width, width,
                  target.data() + (j * rows + i) * width);
    }
  }
  return target;
}

}  // namespace

std::string_view to_string(Format format) {
  constexpr std::string_view kNames[] = {"peft", "mlx-lm", "go-mlx", "metal-candle", "gguf"};
  return kNames[static_cast<unsigned>(format)];
}

std::optional<Format> parse_format(std::string_view name) {
  for (const Format format : kFormats) {
    if (to_string(format) == name) return format;
  }
  return {};
}

std::vector<float> values_of(const Factor& factor) {
  std::vector<float> values = to_floats(factor.element, factor.bytes);
  if (!factor.transposed) return values;
  return transposed(values, static_cast<std::size_t>(factor.cols),
                    static_cast<std::size_t>(factor.rows), 1);
}

std::vector<std::byte> rows_of(const Factor& factor) {
  std::vector<std::byte> bytes(factor.bytes.begin(), factor.bytes.end());
  if (!factor.transposed) return bytes;
  return transposed(bytes, static_cast<std::size_t>(factor.cols),
                    static_cast<std::size_t>(factor.rows),
                    static_cast<std::size_t>(block_of(factor.element).bytes));
}

Factor transpose(Factor factor) {
  std::swap(factor.rows, factor.cols);
  factor.transposed = !factor.transposed;
  return factor;
}

std::string changed_file(const Adapter& adapter) {
  for (const FileState& file : adapter.files) {
    struct stat status {};
    const bool there = ::stat(file.path.c_str(), &status) == 0 && status.st_dev == file.device &&
                       status.st_ino == file.inode;
    if (there && (status.st_size != file.bytes || status.st_mtim.tv_sec != file.seconds ||
                  status.st_mtim.tv_nsec != file.nanoseconds)) {
      return printable(file.path, 300) + ": has changed since it was loaded";
    }
  }
  return {};
}

const LoraModule* find_module(const Adapter& adapter, std::string_view name, std::string& why) {
  const LoraModule* found = nullptr;
  for (const LoraModule& module : adapter.modules) {
    if (module.path == name) return &module;
    const std::string_view path = module.path;
    const bool ends = path.size() > name.size() && path.ends_with(name) &&
                      path[path.size() - name.size() - 1] == '.';
    if (!ends || name.empty()) continue;
    if (found != nullptr && why.empty()) {
      why = "module " + in_quotes(name) + " may be " + in_quotes(found->path) + " or " +
            in_quotes(path);
    }
    found = &module;
  }
  if (found == nullptr) why = "there is no module " + in_quotes(name);
  return why.empty() ? found : nullptr;
}

}  // namespace loratune
