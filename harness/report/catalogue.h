// A Catalogue gives the devices and problems of a report their numbers, so that what is said of
// them stands on the page once.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "loratune/dispatch/tuned_file.h"
#include "loratune/variants/problem.h"

namespace loratune {

// A device as far as a file says which one it is: what it does not say is empty or 0, and is no
// difference to another device.
struct ReportDevice {
  std::string name, platform, driver;
  int compute_units = 0;
  double usable_cpus = 0;
  std::string file;  // of two sweeps of one device: which of them
};

ReportDevice report_device(const TunedDevice& device);
// From the words by which --bench calls a device: "platform: name", or the name alone.
ReportDevice report_device(const std::string& words, const std::string& driver);

class Catalogue {
 public:
  std::size_t problem(const Problem& problem);
  std::size_t device(const ReportDevice& device);
  // The number of the device for the records of one file. A device of which an earlier file has
  // other records of the same problems counts as another one, named by `file`: the two stand side
  // by side.
  std::size_t device(ReportDevice device, const std::vector<const Record*>& records,
                     const std::string& file);
  // False for a record that the device has already, as a tuned file and its journal both give it.
  bool add(std::size_t device, const Record& record);

  // Lists of what was numbered, in order.
  nlohmann::json problems() const { return problems_; }
  nlohmann::json devices() const;

 private:
  std::map<std::string, std::size_t> numbers_;  // of problems, by key
  nlohmann::json problems_ = nlohmann::json::array();
  std::vector<ReportDevice> devices_;
  std::map<std::string, Record> recorded_;  // by device, mode and problem
};

}  // namespace loratune
