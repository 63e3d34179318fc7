#include "harness/base/selection.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <iterator>
#include <set>
#include <tuple>

#include "dispatch/internal/printable.h"
#include "harness/base/adapter_source.h"
#include "harness/base/device_json.h"
#include "harness/base/failure.h"
#include "harness/base/find_devices.h"
#include "harness/base/options.h"
#include "harness/base/read_file.h"
#include "loratune/dispatch/device_match.h"

namespace loratune {
namespace {

// The complaints as the end of a line that says that there is no such device.
std::string reasons(const std::vector<std::string>& complaints) {
  std::string text;
  for (const std::string& complaint : complaints) text += "; " + complaint;
  return text;
}

}  // namespace

std::string display_name(const DeviceInfo& device) { return device.platform + ": " + device.name; }

void tell_limit(const DeviceInfo& device) {
  if (device.usable_cpus > device.compute_units) return;
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
    const std::string count = std::to_string(devices.size());
    usage("--device " + selector + ": there " +
          (devices.size() == 1 ? "is 1 device" : "are " + count + " devices") +
          " that can be used" + reasons(complaints));
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
  const std::vector<Device> devices = find_devices(complaints);
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
  const bool alike = std::ranges::all_of(matches, [&](std::size_t i) {
    return same_device(devices[i].info, devices[matches.front()].info);
  });
  if (!alike) {
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

bool gives_shapes(const Options& o) {
  return !o.tokens.empty() || !o.features.empty() || !o.in.empty() || !o.out_features.empty() ||
         !o.slices.empty() || !o.ranks.empty() || !o.adapters.empty();
}

bool gives_grid(const Options& o) { return gives_shapes(o) || !o.dtypes.empty() || o.set; }

bool selects_problems(const Options& o) {
  return gives_grid(o) || !o.problem_keys.empty() || !o.problems_file.empty() || o.quick;
}

std::vector<Types> read_types(const std::vector<std::string>& names) {
  std::vector<Types> types;
  for (const std::string& name : names) {
    const auto one = parse_types(name);
    if (!one) {
      usage(
          "--dtypes: there are f32, f16 and bf16, and f32_w_f16 where the weights have another "
          "type, not '" +
          printable(name) + "'");
    }
    types.push_back(*one);
  }
  return types;
}

namespace {

std::vector<Problem> listed_problems(const Options& options) {
  if (gives_grid(options)) {
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
    // A remark stands behind a #, in a line of its own or after a key.
    std::string key = line.substr(0, line.find('#'));
    key.resize(key.find_last_not_of(" \t") + 1);
    if (key.empty()) continue;
    add(key, name + ", line " + std::to_string(number) + ": ");
  }
  if (problems.empty()) usage(name + " holds no problem");
  return problems;
}

// Of a problem the extents that make its weights' shape.
struct Shape {
  std::int64_t k = 0, n = 0;
  Slices slices;
};

template <class List>
List or_else(const List& given, List otherwise) {
  return given.empty() ? otherwise : given;
}

// Without --in a group reads rows as long as its first slice is wide, as queries do.
std::vector<Shape> grouped_shapes(const Options& o) {
  if (!o.features.empty() || !o.out_features.empty()) {
    usage("--slices says the columns of y; beside it --in gives those of x");
  }
  std::vector<Shape> shapes;
  for (const std::string& text : o.slices) {
    const auto slices = parse_slices(text);
    if (!slices) {
      usage("--slices: '" + printable(text) + "' is no group of 2.." + std::to_string(kMaxSlices) +
            " modules like 4096+1024+1024");
    }
    Shape shape;
    shape.slices = *slices;
    for (const std::int32_t columns : slices->columns) shape.n += columns;
    for (const std::int64_t k : or_else(o.in, {slices->columns[0]})) {
      shape.k = k;
      shapes.push_back(shape);
    }
  }
  return shapes;
}

std::vector<Shape> grid_shapes(const Options& o) {
  using Extents = std::vector<std::int64_t>;
  if (!o.slices.empty()) return grouped_shapes(o);
  if (!o.features.empty() && (!o.in.empty() || !o.out_features.empty())) {
    usage("--features means k = n; give it, or --in and --out-features");
  }
  std::vector<Shape> shapes;
  if (o.in.empty() && o.out_features.empty()) {
    const Extents square =
        or_else(o.features, o.quick ? Extents{512, 2048} : Extents{512, 1024, 2048});
    for (const std::int64_t size : square) shapes.push_back({size, size, {}});
  } else {
    for (const std::int64_t k : or_else(o.in, o.out_features)) {
      for (const std::int64_t n : or_else(o.out_features, Extents{k})) shapes.push_back({k, n, {}});
    }
  }
  return shapes;
}

std::vector<Problem> grid_problems(const Options& o) {
  using Extents = std::vector<std::int64_t>;
  const std::vector<Shape> shapes = grid_shapes(o);
  const Extents tokens =
      or_else(o.tokens, o.quick ? Extents{1, 16, 128} : Extents{1, 16, 128, 512});
  const std::vector<int> ranks =
      or_else(o.ranks, o.quick ? std::vector<int>{8, 64} : std::vector<int>{4, 8, 16, 32, 64});
  const std::vector<Types> types =
      or_else(read_types(o.dtypes), o.quick ? std::vector<Types>{Dtype::f32}
                                            : std::vector<Types>{Dtype::f32, Dtype::f16});
  std::vector<Problem> problems;
  for (const Types& one : types) {
    for (const int adapters : or_else(o.adapters, {0})) {
      for (const int rank : ranks) {
        for (const auto& [k, n, slices] : shapes) {
          for (const std::int64_t m : tokens) {
            Problem problem;
            set_types(problem, one);
            problem.accumulate = !o.set;
            problem.rank = rank;
            problem.m = m;
            problem.k = k;
            problem.n = n;
            problem.slices = slices;
            problem.adapters = adapters;
            const std::string why = invalid_reason(problem);
            if (!why.empty()) usage(why);
            problems.push_back(problem);
          }
        }
      }
    }
  }
  return problems;
}

}  // namespace

std::vector<Problem> distinct(const std::vector<Problem>& problems) {
  const auto key = [](const Problem& p) {
    return std::tuple(kind_of(p), p.m, p.k, p.n, p.rank, p.align);
  };
  std::set<decltype(key(problems.front()))> seen;
  std::vector<Problem> kept;
  std::copy_if(problems.begin(), problems.end(), std::back_inserter(kept),
               [&](const Problem& problem) { return seen.insert(key(problem)).second; });
  return kept;
}

std::vector<Problem> select_problems(const Options& options) {
  std::vector<Problem> problems;
  if (!options.adapter.path.empty()) {
    for (const ModuleProblem& one : module_problems(options)) problems.push_back(one.problem);
  } else if (options.problem_keys.empty() && options.problems_file.empty()) {
    problems = grid_problems(options);
  } else {
    problems = listed_problems(options);
  }
  return distinct(problems);
}

}  // namespace loratune
