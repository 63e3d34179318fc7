#include "loratune/variants/problem.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace loratune {
namespace {

// Takes `prefix` and a decimal integer off the front of `text`.
bool take_field(std::string_view& text, std::string_view prefix, std::int64_t& value) {
  if (!text.starts_with(prefix)) return false;
  const char* first = text.data() + prefix.size();
  const char* last = text.data() + text.size();
  if (first == last || *first < '0' || *first > '9') return false;  // no sign, no empty number
  const auto [end, error] = std::from_chars(first, last, value);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take_word(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

constexpr std::array<std::string_view, 3> kDtypes = {"f32", "f16", "bf16"};

std::optional<Dtype> take_dtype(std::string_view& text) {
  for (std::size_t i = 0; i < kDtypes.size(); ++i) {
    if (take_word(text, kDtypes[i])) return static_cast<Dtype>(i);
  }
  return std::nullopt;
}

// Stands for a number beyond the range of T, which is beyond every range of a problem too.
template <class T>
T clamped(std::int64_t value) {
  return static_cast<T>(std::min<std::int64_t>(value, std::numeric_limits<T>::max()));
}

std::optional<Types> take_types(std::string_view& text) {
  const auto data = take_dtype(text);
  if (!data) return std::nullopt;
  if (!take_word(text, "_w_")) return Types(*data);
  const auto weights = take_dtype(text);
  if (!weights) return std::nullopt;
  return Types(*data, *weights);
}

// `4096`, or `4096+1024+1024`, whose sum `n` is then. What the numbers may be, invalid_reason()
// says; more of them than a problem may have are no columns.
bool take_columns(std::string_view& text, std::int64_t& n, Slices& slices) {
  std::int64_t columns = 0;
  if (!take_field(text, "", columns)) return false;
  n = columns;
  if (!text.starts_with('+')) return true;
  slices.columns[0] = clamped<std::int32_t>(columns);
  slices.count = 1;
  while (take_field(text, "+", columns)) {
    if (slices.count == kMaxSlices) return false;
    slices.columns[static_cast<unsigned>(slices.count++)] = clamped<std::int32_t>(columns);
    n = std::min(n, kMaxExtent + 1) + std::min(columns, kMaxExtent + 1);
  }
  return true;
}

std::string slices_reason(const Problem& problem) {
  const auto& [columns, count] = problem.slices;
  if (count == 0 && problem.slices == Slices{}) return {};
  if (count < 2 || count > kMaxSlices) {
    return "a group has 2.." + std::to_string(kMaxSlices) + " slices, not " + std::to_string(count);
  }
  std::int64_t sum = 0;
  for (int i = 0; i < kMaxSlices; ++i) {
    const std::int32_t of_slice = columns[static_cast<unsigned>(i)];
    if (i < count ? of_slice < 1 : of_slice != 0) {
      return "slice " + std::to_string(i) + " of " + std::to_string(count) + " has " +
             std::to_string(of_slice) + " columns";
    }
    sum += of_slice;
  }
  if (sum == problem.n) return {};
  return "the slices have " + std::to_string(sum) + " columns, n is " + std::to_string(problem.n);
}

}  // namespace

std::string_view to_string(Op) { return "fwd"; }

std::string_view to_string(Dtype dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  return index < kDtypes.size() ? kDtypes[index] : "unknown";
}

std::optional<Dtype> parse_dtype(std::string_view text) {
  const auto dtype = take_dtype(text);
  return text.empty() ? dtype : std::nullopt;
}

std::string to_string(const Types& types) {
  std::string text(to_string(types.data));
  if (types.weights != types.data) text += "_w_" + std::string(to_string(types.weights));
  return text;
}

std::optional<Types> parse_types(std::string_view text) {
  const auto types = take_types(text);
  return text.empty() ? types : std::nullopt;
}

std::string to_string(const Slices& slices) {
  std::string text;
  for (int i = 0; i < std::min(slices.count, kMaxSlices); ++i) {
    text += (i == 0 ? "" : "+") + std::to_string(slices.columns[static_cast<unsigned>(i)]);
  }
  return text;
}

std::optional<Slices> parse_slices(std::string_view text) {
  Problem problem;
  if (!take_columns(text, problem.n, problem.slices) || !text.empty() ||
      problem.slices.count == 0 || !slices_reason(problem).empty()) {
    return std::nullopt;
  }
  return problem.slices;
}

std::string to_string(const Kind& kind) {
  std::string text = to_string(kind.types) + (kind.accumulate ? "_acc" : "_set");
  if (kind.dora) text += "_dora";
  if (kind.adapters != 0) text += "_a" + std::to_string(kind.adapters);
  return text;
}

std::string invalid_reason(const Problem& problem) {
  const auto outside = [](std::string_view name, std::int64_t value, std::int64_t low,
                          std::int64_t high) {
    return std::string(name) + " = " + std::to_string(value) + " is outside " +
           std::to_string(low) + ".." + std::to_string(high);
  };
  if (problem.op != Op::fwd) return "there is no such operation";
  if (problem.dtype > Dtype::bf16 || weights_dtype(problem) > Dtype::bf16) {
    return "there is no such type of elements";
  }
  if (problem.m < 0 || problem.m > kMaxExtent) return outside("m", problem.m, 0, kMaxExtent);
  if (problem.k < 1 || problem.k > kMaxExtent) return outside("k", problem.k, 1, kMaxExtent);
  if (problem.n < 1 || problem.n > kMaxExtent) return outside("n", problem.n, 1, kMaxExtent);
  if (problem.rank < 1 || problem.rank > kMaxRank)
    return outside("rank", problem.rank, 1, kMaxRank);
  const int align = problem.align;
  if (align != 0 &&
      (align < element_bytes(problem.dtype) || align > 4096 || (align & (align - 1)) != 0)) {
    return "align = " + std::to_string(align) + " is no power of two from the element size to 4096";
  }
  if (problem.adapters < 0 || problem.adapters > kMaxAdapters) {
    return outside("adapters", problem.adapters, 0, kMaxAdapters);
  }
  if (problem.dora && !problem.accumulate)
    return "dora scales y and adds to it, but y is to be set";
  return slices_reason(problem);
}

std::string to_string(const Problem& problem) {
  const Kind kind = kind_of(problem);
  const std::string n = kind.slices.count == 0 ? std::to_string(problem.n) : to_string(kind.slices);
  std::string key(to_string(problem.op));
  key += "_m" + std::to_string(problem.m) + "_k" + std::to_string(problem.k) + "_n" + n + "_r" +
         std::to_string(problem.rank) + "_" + to_string(kind);
  if (problem.align != 0) key += "_align" + std::to_string(problem.align);
  return key;
}

std::optional<Problem> parse_problem(std::string_view key, std::string& why) {
  std::string_view text = key;
  Problem problem;
  std::int64_t rank = 0;
  std::int64_t adapters = 0;
  std::int64_t align = 0;
  take_word(text, "fwd_");
  bool ok = take_field(text, "m", problem.m) && take_field(text, "_k", problem.k) &&
            take_word(text, "_n") && take_columns(text, problem.n, problem.slices) &&
            take_field(text, "_r", rank) && take_word(text, "_");
  if (ok) {
    const auto types = take_types(text);
    problem.accumulate = text.starts_with("_acc");
    ok = types && (take_word(text, "_acc") || take_word(text, "_set"));
    if (types) set_types(problem, *types);
  }
  if (ok) {
    problem.dora = take_word(text, "_dora");
    // A number of 0 is not written, so that each problem has one key.
    if (take_field(text, "_a", adapters)) ok = adapters > 0;
    if (take_field(text, "_align", align)) ok = ok && align > 0;
  }
  if (!ok || !text.empty()) {
    why = "'" + std::string(key.substr(0, 80)) +
          "' is no problem key; one looks like fwd_m1_k1024_n1024_r8_f16_acc";
    return std::nullopt;
  }
  problem.rank = clamped<int>(rank);
  problem.adapters = clamped<int>(adapters);
  problem.align = clamped<int>(align);
  why = invalid_reason(problem);
  if (!why.empty()) {
    why = "problem '" + std::string(key.substr(0, 80)) + "': " + why;
    return std::nullopt;
  }
  set_align(problem, problem.align);
  return problem;
}

double useful_flops(const Problem& p) {
  return 2.0 * static_cast<double>(p.m) * p.rank *
         (slice_count(p) * static_cast<double>(p.k) + static_cast<double>(p.n));
}

double compulsory_bytes(const Problem& p) {
  const auto m = static_cast<double>(p.m);
  const auto k = static_cast<double>(p.k);
  const auto n = static_cast<double>(p.n);
  const double factors = p.rank * (slice_count(p) * k + n) + (p.dora ? n : 0.0);
  const auto adapters =
      static_cast<double>(std::max<std::int64_t>(std::min<std::int64_t>(p.adapters, p.m), 1));
  return element_bytes(p.dtype) * (m * k + m * n * (p.accumulate ? 2.0 : 1.0)) +
         element_bytes(weights_dtype(p)) * factors * adapters;
}

}  // namespace loratune
