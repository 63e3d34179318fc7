// What the tests of the C interface share.
#pragma once

#include <gtest/gtest.h>
#include <loratune/loratune.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace loratune {

// A struct of the C interface with nothing said but its size.
template <class T>
T zeroed() {
  T value;
  std::memset(&value, 0, sizeof value);
  value.size = sizeof value;
  return value;
}

// A buffer for a text, and the text.
class Text {
 public:
  explicit Text(std::size_t capacity = 4096) : bytes_(capacity, 'z') {
    text_ = {bytes_.data(), bytes_.size(), 0};
  }
  loratune_text* out() { return &text_; }
  std::size_t length() const { return text_.length; }
  std::string str() const { return bytes_.data(); }

 private:
  std::vector<char> bytes_;
  loratune_text text_{};
};

// The whole of a text of unknown length.
template <class Write>
std::string whole_text(Write write) {
  loratune_text none{};
  write(&none);
  Text text(none.length + 1);
  return write(text.out()) == LORATUNE_SUCCESS ? text.str() : "";
}

using DispatcherHandle =
    std::unique_ptr<loratune_dispatcher, decltype(&loratune_dispatcher_destroy)>;

inline DispatcherHandle dispatcher_of(const std::string& device, const std::string& tuned,
                                      std::string* detail = nullptr) {
  auto options = zeroed<loratune_dispatcher_options>();
  options.device = device.c_str();
  if (!tuned.empty()) {
    options.bytes = tuned.data();
    options.byte_count = tuned.size();
  }
  Text text;
  loratune_dispatcher* made = nullptr;
  loratune_dispatcher_create(&options, &made, text.out());
  if (detail != nullptr) *detail = text.str();
  return {made, loratune_dispatcher_destroy};
}

inline loratune_problem small_problem(std::int64_t m = 1) {
  auto problem = zeroed<loratune_problem>();
  problem.dtype = LORATUNE_DTYPE_F16;
  problem.m = m;
  problem.k = problem.n = 1024;
  problem.rank = 8;
  return problem;
}

// Calls with each size that is none; `call` is given a struct whose size alone is said.
template <class T>
void expect_sizes_refused(const std::function<std::int32_t(T*)>& call) {
  for (const std::uint32_t size :
       {0U, 1U, 4U, static_cast<unsigned>(sizeof(T)) - 1, static_cast<unsigned>(sizeof(T)) + 8,
        0x7fffffffU, 0xffffffffU, 0xfffffff8U}) {
    T value = zeroed<T>();
    value.size = size;
    EXPECT_EQ(call(&value), LORATUNE_INVALID_STRUCT) << size;
  }
  EXPECT_EQ(call(nullptr), LORATUNE_NULL_POINTER);
}

}  // namespace loratune
