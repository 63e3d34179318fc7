#include "harness/report/catalogue.h"

#include <algorithm>

namespace loratune {
namespace {

// Fills in what `known` does not say. False, and nothing is changed, where the two contradict.
bool join(ReportDevice& known, const ReportDevice& other) {
  const auto agree = [](const auto& a, const auto& b) {
    return a == b || a == decltype(a){} || b == decltype(b){};
  };
  if (known.name != other.name || !known.file.empty() || !agree(known.driver, other.driver) ||
      !agree(known.platform, other.platform) || !agree(known.compute_units, other.compute_units) ||
      !agree(known.usable_cpus, other.usable_cpus)) {
    return false;
  }
  const auto fill = [](auto& value, const auto& with) {
    if (value == std::decay_t<decltype(value)>{}) value = with;
  };
  fill(known.platform, other.platform);
  fill(known.driver, other.driver);
  fill(known.compute_units, other.compute_units);
  fill(known.usable_cpus, other.usable_cpus);
  return true;
}

// A name for each device, with as much beside it as tells it from the others.
std::vector<std::string> labels_of(const std::vector<ReportDevice>& devices) {
  std::vector<std::string> labels;
  for (const ReportDevice& device : devices) labels.push_back(device.name);
  const auto qualify = [&](auto words) {
    const std::vector<std::string> before = labels;
    for (std::size_t i = 0; i < devices.size(); ++i) {
      const std::string more = words(devices[i]);
      bool tells = false;  // this one from another
      for (std::size_t j = 0; j < devices.size(); ++j) {
        tells = tells || (before[j] == before[i] && words(devices[j]) != more);
      }
      if (tells && !more.empty()) labels[i] += ", " + more;
    }
  };
  qualify([](const ReportDevice& one) { return one.platform; });
  qualify([](const ReportDevice& one) {
    return one.driver.empty() ? std::string() : "driver " + one.driver;
  });
  qualify([](const ReportDevice& one) {
    return one.compute_units == 0 ? std::string()
                                  : std::to_string(one.compute_units) + " compute units";
  });
  qualify([](const ReportDevice& one) { return one.file; });
  return labels;
}

// `kind` is what the key says behind the rank.
nlohmann::json described(const Problem& problem, const std::string& key) {
  const std::string columns =
      problem.slices.count == 0 ? std::to_string(problem.n) : to_string(problem.slices);
  const std::string align = problem.align == 0 ? "" : "_align" + std::to_string(problem.align);
  return {{"key", key},
          {"m", problem.m},
          {"k", problem.k},
          {"n", problem.n},
          {"rank", problem.rank},
          {"columns", columns},
          {"kind", to_string(kind_of(problem)) + align},
          {"flops", useful_flops(problem)},
          {"bytes", compulsory_bytes(problem)}};
}

std::string name_of(std::size_t device, const Record& record) {
  return std::to_string(device) + " " + std::string(to_string(record.mode)) + " " +
         to_string(record.problem);
}

bool same_measurement(const Record& one, const Record& other) {
  return one.variant == other.variant && one.config == other.config &&
         one.time_ns == other.time_ns && one.default_ns == other.default_ns &&
         one.rounds == other.rounds;
}

}  // namespace

ReportDevice report_device(const TunedDevice& device) {
  return {device.name,          device.platform,    device.driver,
          device.compute_units, device.usable_cpus, ""};
}

ReportDevice report_device(const std::string& words, const std::string& driver) {
  const std::size_t colon = words.find(": ");
  ReportDevice device;
  device.driver = driver;
  device.name = colon == std::string::npos ? words : words.substr(colon + 2);
  if (colon != std::string::npos) device.platform = words.substr(0, colon);
  if (device.name.empty()) device.name = "a device without a name";
  return device;
}

std::size_t Catalogue::problem(const Problem& problem) {
  const std::string key = to_string(problem);
  const auto [place, fresh] = numbers_.emplace(key, problems_.size());
  if (fresh) problems_.push_back(described(problem, key));
  return place->second;
}

std::size_t Catalogue::device(const ReportDevice& device) {
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    if (join(devices_[i], device)) return i;
  }
  devices_.push_back(device);
  return devices_.size() - 1;
}

std::size_t Catalogue::device(ReportDevice device, const std::vector<const Record*>& records,
                              const std::string& file) {
  const std::size_t number = this->device(device);
  const bool differs = std::any_of(records.begin(), records.end(), [&](const Record* record) {
    const auto known = recorded_.find(name_of(number, *record));
    return known != recorded_.end() && !same_measurement(known->second, *record);
  });
  if (!differs) return number;
  device.file = file;
  devices_.push_back(device);
  return devices_.size() - 1;
}

bool Catalogue::add(std::size_t device, const Record& record) {
  return recorded_.emplace(name_of(device, record), record).second;
}

nlohmann::json Catalogue::devices() const {
  const std::vector<std::string> labels = labels_of(devices_);
  nlohmann::json list = nlohmann::json::array();
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    const ReportDevice& device = devices_[i];
    list.push_back({{"label", labels[i]},
                    {"name", device.name},
                    {"platform", device.platform},
                    {"driver", device.driver},
                    {"compute_units", device.compute_units}});
  }
  return list;
}

}  // namespace loratune
