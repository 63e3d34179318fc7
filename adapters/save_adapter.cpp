#include "loratune/adapters/save_adapter.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <new>
#include <span>
#include <system_error>
#include <utility>

#include "adapters/internal/fault.h"
#include "adapters/internal/model_names.h"
#include "adapters/internal/safetensors.h"
#include "adapters/internal/written_config.h"
#include "dispatch/internal/atomic_write.h"
#include "loratune/adapters/load_adapter.h"

namespace loratune {
namespace {

namespace fs = std::filesystem;

std::string key_of(Format format, const std::string& path, bool is_b) {
  if (format == Format::peft) {
    return "base_model.model." + path + (is_b ? ".lora_B.weight" : ".lora_A.weight");
  }
  return path + (is_b ? ".lora_b" : ".lora_a");
}

std::string file_name(Format format) {
  if (format == Format::peft) return "adapter_model.safetensors";
  return format == Format::metal_candle ? "lora.safetensors" : "adapters.safetensors";
}

// A factor as the format stores it. A quantised one becomes f32, which holds its numbers exactly.
NamedArray array_of(Format format, const LoraModule& module, bool is_b) {
  Factor factor = is_b ? module.b : module.a;
  NamedArray array;
  array.name = key_of(format, module.path, is_b);
  array.element = is_plain(factor.element) ? factor.element : Element::f32;
  if (format == Format::mlx_lm || format == Format::metal_candle) factor = transpose(factor);
  array.shape = {factor.rows, factor.cols};
  array.bytes =
      is_plain(factor.element) ? rows_of(factor) : from_floats(Element::f32, values_of(factor));
  return array;
}

// What was written, read as its own tool would, must be what was to be written.
void compare(const Adapter& written, std::span<const LoraModule> modules,
             const std::string& folder) {
  const auto same_numbers = [](const Factor& one, const Factor& other) {
    if (one.element == other.element) return rows_of(one) == rows_of(other);
    return values_of(one) == values_of(other);
  };
  bool same = written.modules.size() == modules.size();
  for (std::size_t i = 0; same && i < modules.size(); ++i) {
    const LoraModule& one = written.modules[i];
    const LoraModule& other = modules[i];
    same = one.path == other.path && one.matched &&
           static_cast<float>(one.scale) == static_cast<float>(other.scale) &&
           same_numbers(one.a, other.a) && same_numbers(one.b, other.b);
  }
  if (!same) refuse(folder, "cannot be written: read again it would be another adapter");
}

// A folder of its own for the files until all of them are sound. It stands beside a target that is
// not there and takes its name. It stands inside a target that is there and empty, which stays what
// it is: its mode and owner, a link to it, a mount point, or the folder that somebody works in.
class NewFolder {
 public:
  explicit NewFolder(const std::string& target) : target_(fs::path(target).lexically_normal()) {
    if (!target_.has_filename()) target_ = target_.parent_path();
    std::error_code error;
    const fs::file_status status = fs::status(target_, error);
    inside_ = fs::exists(status);
    if (inside_ && !fs::is_directory(status)) refuse(target, "exists already; nothing was written");
    if (inside_) require_free();
    if (!inside_ && fs::is_symlink(fs::symlink_status(target_, error))) {
      refuse(target, "cannot be made: it is a link to nothing");
    }
    const std::string stem = (inside_ ? target_ / "adapter" : target_).string();
    int made = -1;
    for (int i = 0; i < 100 && made != 0; ++i) {  // names left behind by killed processes
      const std::string name =
          stem + "." + std::to_string(::getpid()) + "." + std::to_string(i) + ".tmp";
      made = ::mkdir(name.c_str(), 0777);
      if (made == 0) path_ = name;
      if (made != 0 && errno != EEXIST) break;
    }
    if (made != 0) {
      refuse(target, "cannot be made: " + std::generic_category().message(errno));
    }
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }

  // Where to write a file of that name. The last file that is added is the last in its place.
  std::string add(const std::string& name) {
    names_.push_back(name);
    return (path_ / name).string();
  }
  std::string path() const { return path_.string(); }

  void take_name() {
    std::error_code error;
    if (!inside_) {
      fs::rename(path_, target_, error);
      if (error) refuse(target_.string(), "cannot be made: " + error.message());
      path_.clear();
      sync_folder_of(target_);
      return;
    }
    // Of two that found it free one sees the other's folder.
    require_free();
    for (std::size_t i = 0; i < names_.size() && !error; ++i) {
      fs::rename(path_ / names_[i], target_ / names_[i], error);
      std::error_code ignored;
      for (std::size_t back = 0; error && back < i; ++back) {
        fs::remove(target_ / names_[back], ignored);
      }
    }
    if (error) refuse(target_.string(), "cannot be written: " + error.message());
    sync_folder_of(target_ / names_.back());
  }

 private:
  // Refuses where the target holds something, and says so of what a killed process left.
  void require_free() const {
    for (const fs::directory_entry& entry : fs::directory_iterator(target_)) {
      if (entry.path() == path_) continue;
      const std::string name = entry.path().filename().string();
      const bool left = name.starts_with("adapter.") && name.ends_with(".tmp");
      refuse(target_.string(),
             left ? "holds " + in_quotes(name) +
                        ", of a save that goes on or was killed; nothing was written"
                  : "exists already; nothing was written");
    }
  }

  fs::path target_, path_;
  bool inside_ = false;
  std::vector<std::string> names_;
};

void require_unchanged(const Adapter& adapter, const std::string& folder) {
  const std::string changed = changed_file(adapter);
  if (!changed.empty()) refuse(folder, "cannot be written: " + changed);
}

void save(const Adapter& adapter, Format format, const std::string& folder,
          const SaveOptions& options) {
  if (adapter.modules.empty()) refuse(folder, "cannot be written: the adapter has no modules");
  const std::string unused = unused_option(adapter, format, options);
  if (!unused.empty()) refuse(folder, "cannot be written: " + unused);
  require_unchanged(adapter, folder);
  if (adapter.changes_base) {
    refuse(folder, "cannot be written: the adapter changes the base's weights when it is loaded: " +
                       adapter.notes.front());
  }
  for (const LoraModule& module : adapter.modules) {
    if (module.magnitude.rows != 0) {
      refuse(folder, "cannot be written: module " + in_quotes(module.path) +
                         " is of DoRA, whose magnitudes would be lost");
    }
    if (module.matched) continue;
    refuse(folder, "cannot be written: module " + in_quotes(module.path) +
                       " is none that the adapter's config names, so its own tool leaves it out");
  }
  const ModelModules model = model_modules(adapter, format, options.heads, options.heads_kv);
  if (!model.error.empty()) refuse(folder, "cannot be written: " + model.error);
  const std::string config = written_config(model.modules, format, folder);
  const double alpha = options.alpha.value_or(0);
  if (format == Format::metal_candle &&
      (!options.alpha ||
       static_cast<float>(alpha / static_cast<double>(model.modules.front().rank())) !=
           static_cast<float>(model.modules.front().scale))) {
    refuse(folder,
           "cannot be written: metal-candle stores no alpha; say that its reader will be told an "
           "alpha of " +
               std::to_string(model.modules.front().alpha));
  }
  for (const LoraModule& module : model.modules) {
    if (key_of(format, module.path, false).size() <= kMostName) continue;
    refuse(folder, "cannot be written: the keys of module " + in_quotes(module.path) +
                       " would be longer than " + std::to_string(kMostName) + " bytes");
  }
  NewFolder target(folder);
  std::vector<NamedArray> arrays;
  for (const LoraModule& module : model.modules) {
    for (const bool is_b : {false, true}) arrays.push_back(array_of(format, module, is_b));
  }
  std::string bytes = safetensors_header(arrays, format == Format::peft ? "pt" : "");
  for (NamedArray& array : arrays) {
    bytes.append(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
    array.bytes = {};
  }
  std::string error = atomic_write(target.add(file_name(format)), bytes);
  if (error.empty() && !config.empty()) {
    error = atomic_write(target.add("adapter_config.json"), config);
  }
  if (!error.empty()) throw AdapterFault(error);
  LoadOptions reading;
  reading.format = format;
  if (format == Format::metal_candle) reading.alpha = alpha;
  const LoadedAdapter written = load_adapter(target.path(), reading);
  if (!written.adapter) refuse(folder, "cannot be written: " + written.error);
  compare(*written.adapter, model.modules, folder);
  require_unchanged(adapter, folder);
  target.take_name();
}

}  // namespace

std::string unused_option(const Adapter& adapter, Format format, const SaveOptions& options) {
  if (options.alpha && format != Format::metal_candle) {
    return "alpha is for metal-candle, which stores none; " + std::string(to_string(format)) +
           " stores the adapter's own";
  }
  if (options.heads == 0 && options.heads_kv == 0) return {};
  if (std::any_of(adapter.modules.begin(), adapter.modules.end(),
                  [&](const LoraModule& module) { return is_reordered(adapter, module); })) {
    return {};
  }
  return std::string(options.heads != 0 ? "heads" : "heads_kv") +
         " is for the queries and keys of a GGUF's llama model, and this " +
         std::string(to_string(adapter.format)) + " adapter has none";
}

std::string save_adapter(const Adapter& adapter, Format format, const std::string& folder,
                         const SaveOptions& options) {
  try {
    save(adapter, format, folder, options);
    return {};
  } catch (const AdapterFault& fault) {
    return fault.what();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    return printable(folder, 300) + ": cannot be written: " + printable(error.what(), 200);
  }
}

}  // namespace loratune
