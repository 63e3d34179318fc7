// The border between C and C++: structs of the caller are copied within their size, texts are
// written within their capacity, handles are told apart, and every exception becomes a status.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
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
// The same for a text that is the answer.
std::int32_t answer(loratune_text* text, std::string_view value) noexcept;

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

// The same where to refuse is to throw; `name` is that of the argument.
template <class T>
T taken(const T* from, const char* name) {
  T to;
  const std::int32_t status = read(from, to);
  if (status == LORATUNE_NULL_POINTER) throw Refused(status, std::string(name) + " is NULL");
  if (status != LORATUNE_SUCCESS) {
    throw Refused(status, std::string(name) + " has a size of " + std::to_string(from->size) +
                              ", at most " + std::to_string(sizeof(T)) +
                              " is known here, or a reserved field that is not 0");
  }
  return to;
}

// Fills a struct of the caller's as far as its size goes.
template <class T>
std::int32_t give(T value, T* to) noexcept {
  if (to == nullptr) return LORATUNE_NULL_POINTER;
  const std::uint32_t size = to->size;
  if (size == 0 || size > sizeof(T) || size % alignof(T) != 0) return LORATUNE_INVALID_STRUCT;
  value.size = size;
  std::memcpy(to, &value, size);
  return LORATUNE_SUCCESS;
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
