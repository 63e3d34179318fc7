#include "capi/internal/boundary.h"

#include <algorithm>
#include <new>

#include "dispatch/internal/opencl_codes.h"
#include "dispatch/internal/printable.h"

namespace loratune::capi {

bool put(loratune_text* text, std::string_view value) noexcept {
  if (text == nullptr) return true;
  text->length = value.size();
  if (text->data == nullptr || text->capacity == 0) return false;
  const std::size_t fits = std::min(value.size(), text->capacity - 1);
  if (fits > 0) std::memcpy(text->data, value.data(), fits);
  text->data[fits] = '\0';
  return fits == value.size();
}

std::int32_t answer(loratune_text* text, std::string_view value, const char* name) {
  required(text, name);
  return put(text, value) ? LORATUNE_SUCCESS : LORATUNE_TEXT_TOO_LONG;
}

std::int32_t status_of_exception(loratune_text* detail) noexcept {
  try {
    throw;
  } catch (const Refused& refused) {
    put(detail, refused.what());
    return refused.status();
  } catch (const std::bad_alloc&) {
    put(detail, "out of memory");
    return LORATUNE_OUT_OF_MEMORY;
  } catch (const std::length_error&) {
    put(detail, "more memory than there can be");
    return LORATUNE_OUT_OF_MEMORY;
  } catch (const std::invalid_argument& error) {
    put(detail, error.what());
    return LORATUNE_INVALID_VALUE;
  } catch (const std::exception& error) {
    put(detail, error.what());
    return LORATUNE_INTERNAL;
  } catch (...) {
    return LORATUNE_INTERNAL;
  }
}

}  // namespace loratune::capi

using loratune::opencl_code_name;

extern "C" {

const char* loratune_status_name(std::int32_t status) {
  switch (status) {
    case LORATUNE_SUCCESS:
      return "LORATUNE_SUCCESS";
    case LORATUNE_NULL_POINTER:
      return "LORATUNE_NULL_POINTER";
    case LORATUNE_INVALID_STRUCT:
      return "LORATUNE_INVALID_STRUCT";
    case LORATUNE_INVALID_HANDLE:
      return "LORATUNE_INVALID_HANDLE";
    case LORATUNE_INVALID_VALUE:
      return "LORATUNE_INVALID_VALUE";
    case LORATUNE_INVALID_FILE:
      return "LORATUNE_INVALID_FILE";
    case LORATUNE_UNSUPPORTED:
      return "LORATUNE_UNSUPPORTED";
    case LORATUNE_NOT_FOUND:
      return "LORATUNE_NOT_FOUND";
    case LORATUNE_TEXT_TOO_LONG:
      return "LORATUNE_TEXT_TOO_LONG";
    case LORATUNE_INVALID_OPERANDS:
      return "LORATUNE_INVALID_OPERANDS";
    case LORATUNE_BUILD_FAILED:
      return "LORATUNE_BUILD_FAILED";
    case LORATUNE_BUSY:
      return "LORATUNE_BUSY";
    case LORATUNE_OUT_OF_MEMORY:
      return "LORATUNE_OUT_OF_MEMORY";
    case LORATUNE_INTERNAL:
      return "LORATUNE_INTERNAL";
    default:
      break;
  }
  const char* name = opencl_code_name(status);
  return name == nullptr ? "unknown" : name;
}

const char* loratune_version_text(void) { return LORATUNE_VERSION; }

std::uint32_t loratune_version(void) {
  return 10000 * LORATUNE_VERSION_MAJOR + 100 * LORATUNE_VERSION_MINOR + LORATUNE_VERSION_PATCH;
}

}  // extern "C"
