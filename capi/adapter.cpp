// Adapters through the C interface.
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "capi/internal/boundary.h"
#include "capi/internal/problem.h"
#include "dispatch/internal/printable.h"
#include "loratune/adapters/load_adapter.h"
#include "loratune/adapters/lora_linear.h"
#include "loratune/adapters/save_adapter.h"
#include "loratune/variants/problem.h"

struct loratune_adapter {
  static constexpr std::uint64_t kTag = 0x6c6f72616164ULL;
  std::uint64_t tag = kTag;
  loratune::Adapter adapter;
};

using namespace loratune::capi;  // NOLINT(google-build-using-namespace): the functions' insides

namespace {

using loratune::Adapter;
using loratune::Element;
using loratune::Factor;
using loratune::Format;
using loratune::LoraModule;

// Neither where the caller says LORATUNE_FORMAT_ANY.
std::optional<Format> format_of(std::int32_t format) {
  static_assert(static_cast<int>(Format::peft) + 1 == LORATUNE_FORMAT_PEFT);
  static_assert(static_cast<int>(Format::gguf) + 1 == LORATUNE_FORMAT_GGUF);
  if (format < LORATUNE_FORMAT_ANY || format > LORATUNE_FORMAT_GGUF) {
    throw Refused(LORATUNE_INVALID_VALUE,
                  "format = " + std::to_string(format) + " is no loratune_format");
  }
  if (format == LORATUNE_FORMAT_ANY) return std::nullopt;
  return static_cast<Format>(format - 1);
}

std::optional<double> alpha_of(std::int32_t has_alpha, double alpha) {
  if (has_alpha == 0) return std::nullopt;
  if (has_alpha != 1 || !std::isfinite(alpha)) {
    throw Refused(LORATUNE_INVALID_VALUE,
                  "has_alpha is neither 0 nor 1, or alpha no finite number");
  }
  return alpha;
}

bool flag(std::int32_t value, const char* name) {
  if (value == 0 || value == 1) return value == 1;
  throw Refused(LORATUNE_INVALID_VALUE, std::string(name) + " is neither 0 nor 1");
}

const LoraModule& module_at(const loratune_adapter* adapter, std::size_t index) {
  const Adapter& from = object(adapter, "adapter").adapter;
  if (index >= from.modules.size()) {
    throw Refused(LORATUNE_NOT_FOUND, "index = " + std::to_string(index) + ", the adapter has " +
                                          std::to_string(from.modules.size()) + " modules");
  }
  return from.modules[index];
}

std::int32_t dtype_of(const LoraModule& module) {
  if (!is_plain(module.a.element) || !is_plain(module.b.element)) return LORATUNE_DTYPE_DEFAULT;
  if (module.a.element != module.b.element) return LORATUNE_DTYPE_F32;
  switch (module.a.element) {
    case Element::f16:
      return LORATUNE_DTYPE_F16;
    case Element::bf16:
      return LORATUNE_DTYPE_BF16;
    default:
      return LORATUNE_DTYPE_F32;
  }
}

// The module whose factors are to be read, of files that nobody wrote to.
const LoraModule& unchanged_module_at(const loratune_adapter* adapter, std::size_t index) {
  const LoraModule& module = module_at(adapter, index);
  const std::string changed = changed_file(adapter->adapter);
  if (!changed.empty()) throw Refused(LORATUNE_INVALID_FILE, changed);
  return module;
}

// Each text as a line of its own, whatever the names in it are.
std::string lines_of(const std::vector<std::string>& texts) {
  std::string lines;
  for (const std::string& text : texts) lines += loratune::printable_line(text) + "\n";
  return lines;
}

void copy_factor(const Factor& factor, Element element, void* to, std::size_t bytes,
                 const char* name) {
  if (to == nullptr) return;
  const std::size_t takes =
      static_cast<std::size_t>(factor.rows * factor.cols * block_of(element).bytes);
  if (bytes != takes) {
    throw Refused(LORATUNE_INVALID_OPERANDS, std::string(name) +
                                                 "_bytes = " + std::to_string(bytes) +
                                                 ", the factor takes " + std::to_string(takes));
  }
  const std::vector<std::byte> rows = from_floats(element, values_of(factor));
  std::copy(rows.begin(), rows.end(), static_cast<std::byte*>(to));
}

// Whether so many numbers are m rows of `row`.
bool is_rows(std::size_t count, std::int64_t m, std::int64_t row) {
  const auto width = static_cast<std::size_t>(row);
  return count % width == 0 && count / width == static_cast<std::size_t>(m);
}

}  // namespace

extern "C" {

std::int32_t loratune_adapter_load(const loratune_adapter_options* options,
                                   loratune_adapter** adapter, loratune_text* detail) {
  return guarded(detail, [&] {
    *required(adapter, "adapter") = nullptr;
    const loratune_adapter_options given = taken(options, "options");
    loratune::LoadOptions load;
    load.format = format_of(given.format);
    if (given.rank < 0) throw Refused(LORATUNE_INVALID_VALUE, "rank is negative");
    if (given.rank > 0) load.rank = given.rank;
    load.alpha = alpha_of(given.has_alpha, given.alpha);
    load.lenient = flag(given.lenient, "lenient");
    loratune::LoadedAdapter loaded =
        loratune::load_adapter(required(given.path, "options.path"), load);
    if (!loaded.adapter) throw Refused(LORATUNE_INVALID_FILE, loaded.error);
    auto handle = std::make_unique<loratune_adapter>();
    handle->adapter = std::move(*loaded.adapter);
    *adapter = handle.release();
    return LORATUNE_SUCCESS;
  });
}

void loratune_adapter_destroy(loratune_adapter* adapter) { destroy(adapter); }

std::size_t loratune_adapter_module_count(const loratune_adapter* adapter) {
  const bool known = adapter != nullptr && adapter->tag == loratune_adapter::kTag;
  return known ? adapter->adapter.modules.size() : 0;
}

std::int32_t loratune_adapter_notes(const loratune_adapter* adapter, loratune_text* lines,
                                    loratune_text* detail) {
  return guarded(detail, [&] {
    return answer(lines, lines_of(object(adapter, "adapter").adapter.notes), "lines");
  });
}

std::int32_t loratune_adapter_skipped(const loratune_adapter* adapter, loratune_text* lines,
                                      loratune_text* detail) {
  return guarded(detail, [&] {
    return answer(lines, lines_of(object(adapter, "adapter").adapter.skipped), "lines");
  });
}

std::int32_t loratune_adapter_changes_base(const loratune_adapter* adapter,
                                           std::int32_t* changes_base) {
  return guarded(nullptr, [&] {
    *required(changes_base, "changes_base") = 0;
    *changes_base = object(adapter, "adapter").adapter.changes_base ? 1 : 0;
    return LORATUNE_SUCCESS;
  });
}

std::int32_t loratune_adapter_module(const loratune_adapter* adapter, std::size_t index,
                                     loratune_module* module) {
  return guarded(nullptr, [&] {
    const LoraModule& from = module_at(adapter, index);
    loratune_module to{};
    to.dtype = dtype_of(from);
    to.path = from.path.c_str();
    to.in = from.in();
    to.out = from.out();
    to.rank = from.rank();
    to.alpha = from.alpha;
    to.scale = from.scale;
    to.matched = from.matched ? 1 : 0;
    return give(to, module, "module");
  });
}

std::int32_t loratune_adapter_find(const loratune_adapter* adapter, const char* name,
                                   std::size_t* index, loratune_text* detail) {
  return guarded(detail, [&] {
    const Adapter& from = object(adapter, "adapter").adapter;
    required(index, "index");
    std::string why;
    const LoraModule* found = find_module(from, required(name, "name"), why);
    if (found == nullptr) throw Refused(LORATUNE_NOT_FOUND, loratune::printable_line(why));
    *index = static_cast<std::size_t>(found - from.modules.data());
    return LORATUNE_SUCCESS;
  });
}

std::int32_t loratune_adapter_factors(const loratune_adapter* adapter,
                                      const loratune_factors* factors, loratune_text* detail) {
  return guarded(detail, [&] {
    const loratune_factors wanted = taken(factors, "factors");
    const LoraModule& from = unchanged_module_at(adapter, wanted.index);
    const Element element =
        element_of(loratune::capi::dtype_of(wanted.dtype, loratune::Dtype::f32, "dtype"));
    copy_factor(from.a, element, wanted.a, wanted.a_bytes, "a");
    copy_factor(from.b, element, wanted.b, wanted.b_bytes, "b");
    return LORATUNE_SUCCESS;
  });
}

std::int32_t loratune_adapter_run(const loratune_adapter* adapter,
                                  const loratune_adapter_call* call, loratune_text* detail) {
  return guarded(detail, [&] {
    const loratune_adapter_call given = taken(call, "call");
    const LoraModule& from = unchanged_module_at(adapter, given.index);
    if (given.m < 0 || given.m > loratune::kMaxExtent || !std::isfinite(given.factor)) {
      throw Refused(LORATUNE_INVALID_VALUE, "m is negative or too large, or factor not finite");
    }
    if (!is_rows(given.x_count, given.m, from.in()) ||
        !is_rows(given.y_count, given.m, from.out())) {
      throw Refused(LORATUNE_INVALID_OPERANDS, "x_count or y_count is not that of m rows");
    }
    if (given.m == 0) return LORATUNE_SUCCESS;
    forward_host(lora_linear(from), given.m, {required(given.x, "x"), given.x_count},
                 {required(given.y, "y"), given.y_count}, given.factor);
    return LORATUNE_SUCCESS;
  });
}

std::int32_t loratune_adapter_save(const loratune_adapter* adapter,
                                   const loratune_save_options* options, loratune_text* detail) {
  return guarded(detail, [&] {
    const Adapter& from = object(adapter, "adapter").adapter;
    const loratune_save_options given = taken(options, "options");
    const std::optional<Format> format = format_of(given.format);
    if (!format) {
      throw Refused(LORATUNE_INVALID_VALUE, "format: a folder is written in one of them");
    }
    if (*format == Format::gguf) {
      throw Refused(LORATUNE_INVALID_VALUE, "format: GGUF is only read");
    }
    if (given.heads < 0 || given.heads_kv < 0) {
      throw Refused(LORATUNE_INVALID_VALUE, "heads or heads_kv is negative");
    }
    loratune::SaveOptions save;
    save.alpha = alpha_of(given.has_alpha, given.alpha);
    save.heads = given.heads;
    save.heads_kv = given.heads_kv;
    const std::string unused = unused_option(from, *format, save);
    if (!unused.empty()) throw Refused(LORATUNE_INVALID_VALUE, unused);
    const std::string error =
        save_adapter(from, *format, required(given.folder, "options.folder"), save);
    if (!error.empty()) throw Refused(LORATUNE_INVALID_FILE, error);
    return LORATUNE_SUCCESS;
  });
}

}  // extern "C"
