// The border between C and C++: structs of the caller are copied within their size, texts are
// written within their capacity, handles are told apart, and every exception becomes a status.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "loratune/loratune.h"

namespace loratune::capi {

// Ends a call with this status, and with the text as its detail.
class Refused : public std::runtime_error {
 public:
  Refused(std::int32_t status, const std::string& what)
      : std::runtime_error(what), status_(status) {}
  std::int32_t status() const { return status_; }

 private:
  std::int32_t status_;
};

// Writes a text of ours where the caller wants one. False where it did not fit.
bool put(loratune_text* text, std::string_view value) noexcept;
// The same for a text that is the answer; `name` is that of the argument. Throws Refused for NULL.
std::int32_t answer(loratune_text* text, std::string_view value, const char* name);

// To be called in a handler: the status of the exception that is being handled, its text written to
// `detail`.
std::int32_t status_of_exception(loratune_text* detail) noexcept;

// Runs `body`, which returns a status; what it throws becomes one by `translate`.
template <class Body>
std::int32_t guarded(
    loratune_text* detail, Body body,
    std::int32_t (*translate)(loratune_text*) noexcept = status_of_exception) noexcept {
  put(detail, {});
  try {
    return body();
  } catch (...) {
    return translate(detail);
  }
}

// Copies a struct of the caller's, as far as its size goes, into one of zeros. LORATUNE_SUCCESS, or
// why it is refused. A size of whole alignments cuts no pointer in two.
template <class T>
std::int32_t read(const T* from, T& to) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  to = {};
  if (from == nullptr) return LORATUNE_NULL_POINTER;
  const std::uint32_t size = from->size;
  if (size == 0 || size > sizeof(T) || size % alignof(T) != 0) return LORATUNE_INVALID_STRUCT;
  std::memcpy(&to, from, size);
  if constexpr (requires { to.reserved; }) {
    if (to.reserved != 0) return LORATUNE_INVALID_STRUCT;
  }
  if constexpr (requires { to.reserved_too; }) {
    if (to.reserved_too != 0) return LORATUNE_INVALID_STRUCT;
  }
  return LORATUNE_SUCCESS;
}

// Throws Refused where read() gave another status than LORATUNE_SUCCESS; `name` is that of the
// argument.
template <class T>
void accept(std::int32_t status, const T* from, const char* name) {
  if (status == LORATUNE_NULL_POINTER) throw Refused(status, std::string(name) + " is NULL");
  if (status != LORATUNE_SUCCESS) {
    throw Refused(status, std::string(name) + " has a size of " + std::to_string(from->size) +
                              ", at most " + std::to_string(sizeof(T)) +
                              " is known here, or a reserved field that is not 0");
  }
}

// A copy of a struct of the caller's, as read() makes it.
template <class T>
T taken(const T* from, const char* name) {
  T to;
  accept(read(from, to), from, name);
  return to;
}

// Throws Refused where an answer cannot be given in a struct of that size.
template <class T>
void require_size(const T* to, const char* name) {
  if (to == nullptr) throw Refused(LORATUNE_NULL_POINTER, std::string(name) + " is NULL");
  const std::uint32_t size = to->size;
  if (size == 0 || size > sizeof(T) || size % alignof(T) != 0) {
    throw Refused(LORATUNE_INVALID_STRUCT, std::string(name) + " has a size of " +
                                               std::to_string(size) + ", at most " +
                                               std::to_string(sizeof(T)) + " is known here");
  }
}

// Fills a struct of the caller's as far as its size goes.
template <class T>
std::int32_t give(T value, T* to, const char* name) {
  require_size(to, name);
  const std::uint32_t size = to->size;
  value.size = size;
  std::memcpy(to, &value, size);
  return LORATUNE_SUCCESS;
}

// The same for an answer that would be another one where its end is cut off: refused is a size that
// leaves out anything but zeros.
template <class T>
std::int32_t give_whole(const T& value, T* to, const char* name) {
  static_assert(std::has_unique_object_representations_v<T>);  // no byte of padding counts
  require_size(to, name);
  const auto bytes = std::bit_cast<std::array<unsigned char, sizeof(T)>>(value);
  if (std::any_of(bytes.begin() + to->size, bytes.end(), [](unsigned char b) { return b != 0; })) {
    throw Refused(LORATUNE_INVALID_STRUCT, std::string(name) + " has a size of " +
                                               std::to_string(to->size) +
                                               ", the answer has fields behind it");
  }
  return give(value, to, name);
}

template <class T>
T* required(T* pointer, const char* name) {
  if (pointer == nullptr) throw Refused(LORATUNE_NULL_POINTER, std::string(name) + " is NULL");
  return pointer;
}

// An object of ours by its handle. Each begins with its tag, so that a handle of another type, or
// one that a library of another build made, is told from it.
template <class T>
const T& object(const T* handle, const char* name) {
  required(handle, name);
  if (handle->tag != T::kTag) {
    throw Refused(
        LORATUNE_INVALID_HANDLE,
        std::string(name) + " is no such object, or was made by another build of loratune");
  }
  return *handle;
}
template <class T>
T& object(T* handle, const char* name) {
  return const_cast<T&>(object(static_cast<const T*>(handle), name));
}

// For loratune_X_destroy(): what is none of ours is left alone.
template <class T>
void destroy(T* handle) noexcept {
  if (handle == nullptr || handle->tag != T::kTag) return;
  handle->tag = 0;
  delete handle;
}

}  // namespace loratune::capi
