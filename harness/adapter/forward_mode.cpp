#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "dispatch/internal/printable.h"
#include "harness/adapter/modes.h"
#include "harness/base/adapter_source.h"
#include "harness/base/failure.h"
#include "harness/base/output_files.h"
#include "harness/base/selection.h"
#include "loratune/adapters/lora_linear.h"
#include "loratune/adapters/tensor_file.h"
#include "loratune/dispatch/dispatcher.h"
#include "loratune/dispatch/tuned_file.h"
#include "loratune/layers/device_forward.h"

namespace loratune {
namespace {

// An array of rows, whatever extents it has before its last.
struct Rows {
  Element element = Element::f32;
  std::vector<std::int64_t> shape;
  std::vector<float> values;

  std::int64_t columns() const { return shape.back(); }
  std::int64_t rows() const {
    return static_cast<std::int64_t>(values.size()) / std::max<std::int64_t>(columns(), 1);
  }
};

// The only array of the file, or the one of that name.
Rows read_rows(const std::string& option, const std::string& path, const std::string& name,
               std::int64_t columns) {
  const LoadedTensors loaded = load_safetensors(path);
  if (!loaded.file) usage(option + ": " + loaded.error);
  const std::vector<Tensor>& tensors = loaded.file->tensors;
  const auto named = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const Tensor& tensor) { return tensor.name == name; });
  if (named == tensors.end() && tensors.size() != 1) {
    usage(option + ": " + printable(path, 300) + ": holds " + std::to_string(tensors.size()) +
          " tensors, expected one, or one of the key '" + name + "'");
  }
  const Tensor& tensor = named == tensors.end() ? tensors.front() : *named;
  const std::string where =
      option + ": " + printable(path, 300) + ": key '" + printable(tensor.name, 200) + "': ";
  if (!tensor.element) {
    usage(where + "is " + std::string(tensor.type) + ", expected F32, F16 or BF16");
  }
  Rows rows;
  rows.element = *tensor.element;
  rows.shape.assign(tensor.shape.begin(), tensor.shape.begin() + tensor.dims);
  if (tensor.dims < 1 || rows.columns() != columns) {
    usage(where + "has the shape " + shape_text(tensor) + ", expected rows of " +
          std::to_string(columns));
  }
  rows.values = to_floats(rows.element, tensor.bytes);
  return rows;
}

// The files of the adapter's folder, each of which may be one of the adapter's.
std::vector<NamedFile> files_beside(const AdapterArguments& adapter) {
  const std::filesystem::path path = adapter.path;
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return {{"--adapter", path.string()}};
  std::vector<NamedFile> files;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    files.push_back({"--adapter", entry.path().string()});
  }
  return files;
}

// What another --forward wrote may be replaced: a file of y alone, or an empty one.
void require_product(const NamedFile& out) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(out.path, error) ||
      std::filesystem::is_empty(out.path, error)) {
    return;
  }
  const LoadedTensors there = load_safetensors(out.path);
  if (there.file && there.file->tensors.size() == 1 && there.file->tensors[0].name == "y") return;
  usage(out.option + " '" + printable(out.path, 300) +
        "' exists and is no y of --forward; name another or move it away");
}

// The type that holds every number of the element.
Dtype dtype_of(Element element) {
  if (element == Element::f16) return Dtype::f16;
  return element == Element::bf16 ? Dtype::bf16 : Dtype::f32;
}

// The types of a product's operands: x and y have a narrow one only where both are of it, so that
// nothing is rounded that the adapter's own tool would not round.
Types types_of(const LoraLinear& layer, Element x, Element base) {
  return {x == base ? dtype_of(x) : Dtype::f32, dtype_of(layer.element)};
}

// On the device that --device means, or on the usual one: false where this machine has none.
bool forward_on_device(const Options& options, const LoraLinear& layer, const Types& types,
                       const Rows& x, std::vector<float>& y) {
  Device device;
  try {
    device = select_device(options.device);
  } catch (const Failure& failure) {
    if (failure.code() != kExitNoDevice || !options.device.empty()) throw;
    const std::string unread = options.tuned.empty() ? "" : load_tuned_file(options.tuned).error;
    if (!unread.empty()) usage(unread);
    std::fprintf(stderr, "%s; computing on the host\n", failure.what());
    return false;
  }
  Engine engine(device);
  std::optional<Dispatcher> dispatcher;
  if (options.tuned.empty()) {
    dispatcher.emplace(engine.info());
  } else {
    Dispatcher::Loaded loaded = Dispatcher::load(options.tuned, engine.info());
    if (!loaded.dispatcher) usage(loaded.error);
    dispatcher = std::move(loaded.dispatcher);
  }
  try {
    DeviceForward(engine, *dispatcher, options.mode).forward(layer, types, x.rows(), x.values, y);
  } catch (const std::invalid_argument& error) {
    usage(error.what());
  } catch (const OpenclError&) {
    throw;
  } catch (const std::runtime_error& error) {
    throw Failure(kExitDeviceFault, printable(error.what(), 300));
  }
  return true;
}

}  // namespace

int forward_mode(const Options& options) {
  const Adapter adapter = open_adapter(options.adapter);
  print_remarks(adapter);
  const LoraModule& module = require_module(adapter, options.adapter.module);
  const Rows x = read_rows("--x", options.forward.x, "x", module.in());
  Rows y;
  y.element = x.element;
  y.shape = x.shape;
  y.shape.back() = module.out();
  y.values.resize(static_cast<std::size_t>(x.rows() * module.out()));
  if (!options.forward.base.empty()) {
    y = read_rows("--base", options.forward.base, "base", module.out());
    if (y.rows() != x.rows()) {
      usage("--base: holds " + std::to_string(y.rows()) + " rows, expected " +
            std::to_string(x.rows()) + " as --x does");
    }
  }
  std::vector<NamedFile> read = files_beside(options.adapter);
  read.push_back({"--x", options.forward.x});
  read.push_back({"--base", options.forward.base});
  read.push_back({"--tuned", options.tuned});
  const NamedFile out{"--out", options.out};
  require_writable({out}, read);
  require_product(out);
  const LoraLinear layer = lora_linear(module);
  const Types types = types_of(layer, x.element, y.element);
  if (options.forward.host || !forward_on_device(options, layer, types, x, y.values)) {
    forward_host(layer, x.rows(), x.values, y.values);
  }
  const std::string error =
      save_safetensors(options.out, {{"y", y.element, y.shape, from_floats(y.element, y.values)}});
  if (!error.empty()) usage("--out: " + error);
  return kExitGood;
}

}  // namespace loratune
