#include "loratune/dispatch/device_match.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <tuple>
#include <utility>
#include <vector>

namespace loratune {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool has_digit(std::string_view word) { return std::any_of(word.begin(), word.end(), is_digit); }

// "15.0.6", "6.1.0-13-amd64", "v1.r26p0-01eac0": digits and a dot, perhaps behind a `v`.
bool is_version(std::string_view word) {
  if (word.starts_with('v')) word.remove_prefix(1);
  const auto* const end = std::find_if_not(word.begin(), word.end(), is_digit);
  return end != word.begin() && end != word.end() && *end == '.';
}

// The words of a text in lower case. A version between parentheses is that of the driver and is
// left out: Mesa's names end in "(radeonsi, navi21, LLVM 15.0.6, DRM 3.49, 6.1.0-13-amd64)". A text
// that begins with `depth` 1 is read as if it stood between parentheses.
std::vector<std::string> words_of(std::string_view text, int depth = 0) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty() && (depth == 0 || !is_version(word))) words.push_back(word);
    word.clear();
  };
  for (const char c : text) {
    if (c != '(' && c != ')' && c != ',' && c != ' ' && c != '\t') {
      word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      continue;
    }
    end_word();
    if (c == '(') ++depth;
    if (c == ')' && depth > 0) --depth;
  }
  end_word();
  return words;
}

// The words that tell the device's model from others; none where that is unknown.
std::vector<std::string> model_of(const TunedDevice& device) {
  std::vector<std::string> words = words_of(device.name);
  const auto last = std::find_if(words.rbegin(), words.rend(), has_digit);
  if (last != words.rend()) {
    words.erase(last.base(), words.end());
    return words;
  }
  if (device.device_version.empty()) return {};
  for (std::string& word : words_of(device.device_version, 1)) words.push_back(std::move(word));
  return words;
}

bool same_kind(const TunedDevice& a, const TunedDevice& b) {
  const bool sub_groups =
      a.sub_group_size == 0 || b.sub_group_size == 0 || a.sub_group_size == b.sub_group_size;
  if (a.vendor_id != b.vendor_id || a.vendor != b.vendor || !sub_groups ||
      a.local_mem_bytes != b.local_mem_bytes) {
    return false;
  }
  if (!a.architecture.empty() && !b.architecture.empty()) return a.architecture == b.architecture;
  const std::vector<std::string> model = model_of(a);
  return !model.empty() && model == model_of(b);
}

}  // namespace

std::string_view to_string(DeviceMatch match) {
  constexpr std::string_view kNames[] = {"exact", "other_driver", "similar", "none"};
  return kNames[static_cast<unsigned>(match)];
}

std::string architecture_of(const DeviceInfo& device) {
  if (device.nv_compute_capability > 0) return "sm_" + std::to_string(device.nv_compute_capability);
  if (device.name.starts_with("gfx")) return device.name.substr(0, device.name.find(':'));
  if (device.intel_ip_version != 0) {  // a cl_version: 10, 10 and 12 bits
    const std::uint32_t version = device.intel_ip_version;
    return "intel " + std::to_string(version >> 22U) + "." +
           std::to_string(version >> 12U & 0x3ffU) + "." + std::to_string(version & 0xfffU);
  }
  constexpr std::string_view kPocl = "HSTR: ";  // its hash string
  const std::size_t at = device.device_version.find(kPocl);
  return at == std::string::npos ? "" : device.device_version.substr(at + kPocl.size());
}

DeviceMatch match_device(const TunedDevice& tuned, const TunedDevice& at_hand) {
  const auto [fewer, more] = std::minmax(tuned.compute_units, at_hand.compute_units);
  if (!same_kind(tuned, at_hand) || std::int64_t{more} > 2 * std::int64_t{fewer}) {
    return DeviceMatch::none;
  }
  if (more != fewer || tuned.usable_cpus != at_hand.usable_cpus ||
      tuned.platform != at_hand.platform ||
      tuned.max_work_group_size != at_hand.max_work_group_size ||
      words_of(tuned.name) != words_of(at_hand.name)) {
    return DeviceMatch::similar;
  }
  const bool versions = tuned.device_version.empty() || at_hand.device_version.empty() ||
                        tuned.device_version == at_hand.device_version;
  return versions && tuned.name == at_hand.name && tuned.driver == at_hand.driver &&
                 tuned.extensions == at_hand.extensions
             ? DeviceMatch::exact
             : DeviceMatch::other_driver;
}

std::vector<std::pair<std::string, DeviceMatch>> ranked_devices(const TunedFile& file,
                                                                const TunedDevice& at_hand) {
  std::vector<std::tuple<DeviceMatch, int, std::string>> ranked;  // match, distance, id
  for (const auto& [id, device] : file.devices) {
    const DeviceMatch match = match_device(device, at_hand);
    if (match == DeviceMatch::none) continue;
    ranked.emplace_back(match, std::abs(device.compute_units - at_hand.compute_units), id);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::pair<std::string, DeviceMatch>> devices;
  for (const auto& [match, distance, id] : ranked) devices.emplace_back(id, match);
  return devices;
}

std::string limit_text(const TunedDevice& device) {
  if (device.usable_cpus == 0) return {};
  std::array<char, 32> text{};
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), device.usable_cpus);
  const std::string cpus(text.data(), end);
  const std::string units = std::to_string(device.compute_units);
  if (device.usable_cpus <= device.compute_units) return cpus + " of " + units + " CPUs";
  return cpus + " CPUs beside " + units + (units == "1" ? " compute unit" : " compute units");
}

void add_known(TunedDevice& device, const TunedDevice& same) {
  if (device.device_version.empty()) device.device_version = same.device_version;
  if (device.architecture.empty()) device.architecture = same.architecture;
  if (device.sub_group_size == 0) device.sub_group_size = same.sub_group_size;
}

}  // namespace loratune
