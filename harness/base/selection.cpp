#include "harness/base/selection.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "dispatch/internal/printable.h"
#include "harness/base/adapter_source.h"
#include "harness/base/failure.h"
#include "harness/base/options.h"
#include "harness/base/read_file.h"
#include "loratune/dispatch/device_match.h"

namespace loratune {
namespace {

[[noreturn]] void usage(const std::string& line) { throw Failure(kExitUsage, line); }

// The complaints as the end of a line that says that there is no such device.
std::string reasons(const std::vector<std::string>& complaints) {
  std::string text;
  for (const std::string& complaint : complaints) text += "; " + complaint;
  return text;
}

}  // namespace

std::string display_name(const DeviceInfo& device) { return device.platform + ": " + device.name; }

void tell_limit(const DeviceInfo& device) {
  const std::string limit = limit_text(tuned_device(device));
  if (limit.empty()) return;
  std::fprintf(
      stderr,
      "affinity or a cgroup's quota leaves this process %s: what it measures is recorded as "
      "that, and is not exact for the whole machine\n",
      limit.c_str());
}

std::vector<std::size_t> matching_devices(const std::string& selector,
                                          const std::vector<Device>& devices,
                                          const std::vector<std::string>& complaints) {
  std::size_t index = 0;
  const char* const last = selector.data() + selector.size();
  const auto [end, error] = std::from_chars(selector.data(), last, index);
  if (!selector.empty() && error == std::errc() && end == last) {
    if (index < devices.size()) return {index};
    usage("--device " + selector + ": there are " + std::to_string(devices.size()) +
          " devices that can be used" + reasons(complaints));
  }
  std::vector<std::size_t> matches;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (display_name(devices[i].info).find(selector) != std::string::npos) matches.push_back(i);
  }
  if (matches.empty() && !selector.empty()) {
    usage("--device '" + selector + "' matches no device that can be used; --list shows them" +
          reasons(complaints));
  }
  return matches;
}

Device select_device(const std::string& selector) {
  std::vector<std::string> complaints;
  const std::vector<Device> devices = list_devices(complaints);
  if (devices.empty()) {
    throw Failure(
        kExitNoDevice,
        complaints.empty()
            ? "no OpenCL device: no ICD is installed (on Debian, pocl-opencl-icd gives one)"
            : "no OpenCL device that can be used" + reasons(complaints));
  }
  if (selector.empty()) {
    const auto gpu = std::find_if(devices.begin(), devices.end(), [](const Device& device) {
      return device.info.type == DeviceType::gpu;
    });
    return gpu != devices.end() ? *gpu : devices.front();
  }
  const std::vector<std::size_t> matches = matching_devices(selector, devices, complaints);
  if (matches.size() > 1) {
    usage("--device '" + selector + "' matches " + std::to_string(matches.size()) +
          " devices; give the index that --list shows");
  }
  return devices[matches.front()];
}

std::vector<const Variant*> select_variants(const Options& options) {
  if (options.variants.empty()) return {variants().begin(), variants().end()};
  std::vector<const Variant*> chosen;
  for (const std::string& name : options.variants) {
    const Variant* variant = find_variant(name);
    if (variant == nullptr)
      usage("--variants: there is no variant '" + name + "'; --list shows them");
    if (std::find(chosen.begin(), chosen.end(), variant) == chosen.end()) chosen.push_back(variant);
  }
  return chosen;
}

namespace {

std::vector<Problem> listed_problems(const Options& options) {
  if (!options.tokens.empty() || !options.features.empty() || !options.in.empty() ||
      !options.out_features.empty() || !options.ranks.empty() || !options.dtypes.empty() ||
      options.set) {
    usage("--problem and --problems name whole problems; leave out the options that make a grid");
  }
  std::vector<Problem> problems;
  // `where` stands in front of what is wrong with the key.
  const auto add = [&](const std::string& key, const std::string& where) {
    std::string why;
    const auto problem = parse_problem(key, why);
    if (!problem) usage(where + printable(why, 300));
    problems.push_back(*problem);
  };
  for (const std::string& key : options.problem_keys) add(key, "--problem: ");
  if (options.problems_file.empty()) return problems;
  constexpr std::size_t kMostBytes = std::size_t{16} << 20;
  const std::string name = "--problems '" + printable(options.problems_file, 200) + "'";
  int number = 0;
  for (const std::string& line :
       lines_of(read_file(options.problems_file, "--problems", kMostBytes))) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    add(line, name + ", line " + std::to_string(number) + ": ");
  }
  if (problems.empty()) usage(name + " holds no problem");
  return problems;
}

std::vector<Problem> grid_problems(const Options& o) {
  using Extents = std::vector<std::int64_t>;
  const auto or_else = [](const auto& given, auto otherwise) {
    return given.empty() ? otherwise : given;
  };
  if (!o.features.empty() && (!o.in.empty() || !o.out_features.empty())) {
    usage("--features means k = n; give it, or --in and --out-features");
  }
  std::vector<std::pair<std::int64_t, std::int64_t>> shapes;
  if (o.in.empty() && o.out_features.empty()) {
    const Extents square =
        or_else(o.features, o.quick ? Extents{512, 2048} : Extents{512, 1024, 2048});
    for (const std::int64_t size : square) shapes.emplace_back(size, size);
  } else {
    for (const std::int64_t k : or_else(o.in, o.out_features)) {
      for (const std::int64_t n : or_else(o.out_features, Extents{k})) shapes.emplace_back(k, n);
    }
  }
  const Extents tokens =
      or_else(o.tokens, o.quick ? Extents{1, 16, 128} : Extents{1, 16, 128, 512});
  const std::vector<int> ranks =
      or_else(o.ranks, o.quick ? std::vector<int>{8, 64} : std::vector<int>{4, 8, 16, 32, 64});
  const std::vector<std::string> dtypes = or_else(
      o.dtypes, o.quick ? std::vector<std::string>{"f32"} : std::vector<std::string>{"f32", "f16"});
  std::vector<Problem> problems;
  for (const std::string& name : dtypes) {
    const auto dtype = parse_dtype(name);
    if (!dtype) usage("--dtypes: there are f32 and f16, not '" + name + "'");
    for (const int rank : ranks) {
      for (const auto& [k, n] : shapes) {
        for (const std::int64_t m : tokens) {
          Problem problem;
          problem.dtype = *dtype;
          problem.accumulate = !o.set;
          problem.rank = rank;
          problem.m = m;
          problem.k = k;
          problem.n = n;
          const std::string why = invalid_reason(problem);
          if (!why.empty()) usage(why);
          problems.push_back(problem);
        }
      }
    }
  }
  return problems;
}

}  // namespace

std::vector<Problem> select_problems(const Options& options) {
  std::vector<Problem> problems;
  if (!options.adapter.path.empty()) {
    for (const ModuleProblem& one : module_problems(options)) problems.push_back(one.problem);
  } else if (options.problem_keys.empty() && options.problems_file.empty()) {
    problems = grid_problems(options);
  } else {
    problems = listed_problems(options);
  }
  std::vector<Problem> distinct;
  for (const Problem& problem : problems) {
    if (std::find(distinct.begin(), distinct.end(), problem) == distinct.end()) {
      distinct.push_back(problem);
    }
  }
  return distinct;
}

}  // namespace loratune
