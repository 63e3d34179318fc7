// A DeviceInfo as JSON text: how a device is described where no OpenCL is at hand, by a file or by
// a program in another language.
//
// Threads: plain data, of which each thread may have copies, and functions that any number of
// threads may call at a time.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "loratune/variants/device_info.h"

namespace loratune {

inline constexpr std::size_t kMaxDeviceText = std::size_t{1} << 20;  // bytes

// One line. Bytes that are no UTF-8 are replaced, and texts are cut after 256 characters.
std::string device_text(const DeviceInfo& device);

struct ParsedDevice {
  std::optional<DeviceInfo> device;
  std::string error;  // one printable line with a JSON pointer to the fault; empty with a device
};

// The inverse. `name`, `type`, `max_work_group_size`, `local_mem_bytes` and `max_alloc_bytes` must
// be there; what else is left out is unknown. Never throws but std::bad_alloc.
ParsedDevice parse_device(std::string_view text);

}  // namespace loratune
