// DeviceInfo as JSON, whole: what a journal keeps, so that a replay needs no device.
#pragma once

#include <nlohmann/json.hpp>

#include "loratune/variants/device_info.h"

namespace loratune {

nlohmann::json to_json(const DeviceInfo& device);

// Throws nlohmann::json::exception for what is none.
DeviceInfo device_from_json(const nlohmann::json& json);

// Whether a device that was read from a file is this one. What an older build did not write into
// the file makes no difference, nor do max_alloc_bytes, which PoCL makes of the memory that is free
// at the moment, and vendor_id, by which it numbers its devices.
bool same_device(DeviceInfo stored, const DeviceInfo& now);

}  // namespace loratune
