#include "loratune/variants/problem.h"

#include <charconv>

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

}  // namespace

std::string_view to_string(Op) { return "fwd"; }

std::string_view to_string(Dtype dtype) { return dtype == Dtype::f16 ? "f16" : "f32"; }

std::optional<Dtype> parse_dtype(std::string_view text) {
  if (text == "f32") return Dtype::f32;
  if (text == "f16") return Dtype::f16;
  return std::nullopt;
}

std::string invalid_reason(const Problem& problem) {
  const auto outside = [](std::string_view name, std::int64_t value, std::int64_t low,
                          std::int64_t high) {
    return std::string(name) + " = " + std::to_string(value) + " is outside " +
           std::to_string(low) + ".." + std::to_string(high);
  };
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
  return {};
}

std::string to_string(const Problem& problem) {
  std::string key(to_string(problem.op));
  key += "_m" + std::to_string(problem.m) + "_k" + std::to_string(problem.k) + "_n" +
         std::to_string(problem.n) + "_r" + std::to_string(problem.rank) + "_";
  key += to_string(problem.dtype);
  key += problem.accumulate ? "_acc" : "_set";
  if (problem.align != 0) key += "_align" + std::to_string(problem.align);
  return key;
}

std::optional<Problem> parse_problem(std::string_view key, std::string& why) {
  std::string_view text = key;
  Problem problem;
  std::int64_t rank = 0;
  std::int64_t align = 0;
  take_word(text, "fwd_");
  bool ok = take_field(text, "m", problem.m) && take_field(text, "_k", problem.k) &&
            take_field(text, "_n", problem.n) && take_field(text, "_r", rank) &&
            text.starts_with("_");
  if (ok) {
    text.remove_prefix(1);
    const auto dtype = parse_dtype(text.substr(0, 3));
    ok = dtype.has_value();
    if (ok) {
      problem.dtype = *dtype;
      text.remove_prefix(3);
      problem.accumulate = text.starts_with("_acc");
      ok = take_word(text, "_acc") || take_word(text, "_set");
    }
  }
  const bool aligned = ok && text.starts_with("_align");
  if (aligned) ok = take_field(text, "_align", align) && align > 0;
  if (!ok || !text.empty()) {
    why = "'" + std::string(key.substr(0, 80)) +
          "' is no problem key; one looks like fwd_m1_k1024_n1024_r8_f16_acc";
    return std::nullopt;
  }
  // Beyond int the values are out of every range anyway; clamp so that the reason is the range's.
  problem.rank = static_cast<int>(rank > kMaxExtent ? kMaxExtent : rank);
  problem.align = static_cast<int>(align > kMaxExtent ? kMaxExtent : align);
  why = invalid_reason(problem);
  if (!why.empty()) {
    why = "problem '" + std::string(key.substr(0, 80)) + "': " + why;
    return std::nullopt;
  }
  return problem;
}

double useful_flops(const Problem& p) {
  return 2.0 * static_cast<double>(p.m) * p.rank * static_cast<double>(p.k + p.n);
}

double compulsory_bytes(const Problem& p) {
  const auto m = static_cast<double>(p.m);
  const auto k = static_cast<double>(p.k);
  const auto n = static_cast<double>(p.n);
  return element_bytes(p.dtype) * (m * k + p.rank * (k + n) + m * n * (p.accumulate ? 2.0 : 1.0));
}

}  // namespace loratune
