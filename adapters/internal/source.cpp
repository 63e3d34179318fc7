#include "adapters/internal/source.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "adapters/internal/fault.h"
#include "adapters/internal/mapped_file.h"

namespace loratune {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostNames = 10000;  // of a folder
constexpr std::string_view kConfig = "adapter_config.json";
constexpr std::string_view kPeft = "adapter_model.safetensors";
constexpr std::string_view kMlx = "adapters.safetensors";

// mlx-lm's 0000100_adapters.safetensors, saved while training.
bool is_checkpoint(std::string_view name) {
  constexpr std::string_view kEnd = "_adapters.safetensors";
  if (!name.ends_with(kEnd)) return false;
  const std::string_view digits = name.substr(0, name.size() - kEnd.size());
  return !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator at(folder, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    if (names.size() == kMostNames) {
      refuse(folder, "holds more than " + std::to_string(kMostNames) + " files");
    }
    names.push_back(at->path().filename().string());
  }
  if (error) refuse(folder, "cannot be read: " + error.message());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> ending_with(const std::vector<std::string>& names, std::string_view end) {
  std::vector<std::string> found;
  std::copy_if(names.begin(), names.end(), std::back_inserter(found),
               [&](const std::string& name) { return name.ends_with(end); });
  return found;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + printable(name);
  return text;
}

// The only one of these files; `expected` is what the folder should hold.
std::string only_one(const std::string& folder, const std::vector<std::string>& names,
                     const std::string& expected) {
  if (names.empty()) refuse(folder, "holds no " + expected);
  if (names.size() > 1) {
    refuse(folder,
           "holds " + joined(names) + ", expected one " + expected + "; name the file itself");
  }
  return names.front();
}

Source in_folder(const std::string& folder, std::optional<Format> format) {
  const std::vector<std::string> names = names_in(folder);
  const auto has = [&](std::string_view name) {
    return std::binary_search(names.begin(), names.end(), name);
  };
  std::vector<std::string> arrays = ending_with(names, ".safetensors");
  std::erase_if(arrays, is_checkpoint);
  const std::vector<std::string> ggufs = ending_with(names, ".gguf");
  if (!format && has(kPeft) && has(kMlx)) {
    refuse(folder, "holds both " + std::string(kPeft) + " and " + std::string(kMlx) +
                       ": say the format, peft, mlx-lm or go-mlx");
  }
  if (!format && has(kPeft)) format = Format::peft;
  if (!format && arrays.empty() && !ggufs.empty()) format = Format::gguf;
  if (!format && arrays.empty()) {
    const bool pickled = has("adapter_model.bin");
    refuse(folder, pickled ? "holds adapter_model.bin, a pickle, which is not read: save the "
                             "adapter as safetensors"
                           : "holds no adapter: expected " + std::string(kPeft) + ", " +
                                 std::string(kMlx) + ", another .safetensors or a .gguf file");
  }
  Source source;
  source.format = format;
  if (has(kConfig)) source.config = (fs::path(folder) / kConfig).string();
  if (format == Format::gguf) {
    source.files = {only_one(folder, ggufs, "GGUF file")};
    source.config.clear();
  } else if (format == Format::peft) {
    if (!has(kPeft)) refuse(folder, "holds no " + std::string(kPeft));
    source.files = {std::string(kPeft)};
  } else if (format == Format::metal_candle) {
    source.files = {only_one(folder, arrays, "safetensors file")};
  } else if (has(kMlx)) {
    source.files = {std::string(kMlx)};
    source.others = arrays;
    std::erase(source.others, kMlx);
  } else {
    if (format == Format::mlx_lm) refuse(folder, "holds no " + std::string(kMlx));
    if (arrays.empty()) refuse(folder, "holds no safetensors file");
    source.files = arrays;
  }
  for (auto* const files : {&source.files, &source.others}) {
    for (std::string& name : *files) name = (fs::path(folder) / name).string();
  }
  return source;
}

Source one_file(const std::string& path, std::optional<Format> format) {
  const MappedFile file(path);
  const std::span<const std::byte> bytes = file.bytes();
  const std::string_view begin(reinterpret_cast<const char*>(bytes.data()),
                               std::min<std::size_t>(bytes.size(), 4));
  Source source;
  source.format = begin == "GGUF" ? Format::gguf : format;
  if (begin != "GGUF" && format == Format::gguf) refuse(path, "is no GGUF file");
  if (begin == "GGUF" && format && format != Format::gguf) refuse(path, "is a GGUF file");
  source.files = {path};
  const fs::path config = fs::path(path).parent_path() / kConfig;
  std::error_code error;
  if (source.format != Format::gguf && fs::exists(fs::symlink_status(config, error))) {
    source.config = config.string();
  }
  return source;
}

}  // namespace

Source find_source(const std::string& path, std::optional<Format> format) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    refuse(
        path,
        "cannot be read: " +
            (error ? error : std::make_error_code(std::errc::no_such_file_or_directory)).message());
  }
  Source source = fs::is_directory(status) ? in_folder(path, format) : one_file(path, format);
  source.path = path;
  return source;
}

}  // namespace loratune
