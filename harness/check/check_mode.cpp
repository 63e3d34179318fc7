#include <algorithm>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "dispatch/internal/printable.h"
#include "harness/base/adapter_source.h"
#include "harness/base/config_fault.h"
#include "harness/base/failure.h"
#include "harness/base/interrupt.h"
#include "harness/base/options.h"
#include "harness/base/selection.h"
#include "harness/base/shell_word.h"
#include "harness/check/case_process.h"
#include "harness/check/modes.h"

namespace loratune {
namespace {

using nlohmann::json;

// A line of the table: what became of a group of cases.
struct Row {
  std::string variant, dtype, write, shape_class;
  int cases = 0, skipped = 0;
  double worst = 0;
  std::vector<std::string> failures, skips;
  ExitCode exit_code = kExitGood;
};

// A hang costs its whole time limit, so of a variant that hangs not every case is waited for.
constexpr int kMostHung = 3;

void add(Row& row, const CheckResult& result, const std::string& reproduce) {
  ++row.cases;
  row.worst = std::max(row.worst, result.error_over_bound);
  if (result.outcome == Outcome::correct) return;
  // A driver's words, such as the log of a build.
  const std::string what =
      std::string(to_string(result.outcome)) + ": " + printable_line(result.detail);
  if (result.outcome == Outcome::skipped || result.outcome == Outcome::constraints) {
    // The built kernel's own limits may be below the device's: the engine then takes another plan.
    ++row.skipped;
    if (std::find(row.skips.begin(), row.skips.end(), what) == row.skips.end()) {
      row.skips.push_back(what);
    }
    return;
  }
  row.failures.push_back(what + "\n    " + reproduce);
  row.exit_code = worse(
      row.exit_code, result.outcome == Outcome::correctness ? kExitWrongResult : kExitDeviceFault);
}

// So that the elements of 2^31 rows can still be counted in 64 bits.
constexpr std::int64_t kMostStride = std::int64_t{1} << 31;

// off_x,pad_x,off_y,pad_y, and `apart` where each slice has a buffer for its y.
void set_strides(std::string_view text, Case& shape) {
  constexpr std::string_view kApart = ",apart";
  shape.apart = text.ends_with(kApart);
  if (shape.apart) text.remove_suffix(kApart.size());
  std::int64_t* const strides[] = {&shape.off_x, &shape.pad_x, &shape.off_y, &shape.pad_y};
  const char* at = text.data();
  const char* const end = at + text.size();
  bool good = true;
  for (std::int64_t* const value : strides) {
    const auto [next, error] = std::from_chars(at, end, *value);
    const bool last = value == strides[3];
    good = good && error == std::errc() && *value >= 0 && *value <= kMostStride &&
           (last ? next == end : next != end && *next == ',');
    if (!good) break;
    at = last ? next : next + 1;
  }
  if (!good)
    throw Failure(kExitUsage, "--strides wants off_x,pad_x,off_y,pad_y[,apart], each at most 2^31");
}

// What is checked besides the matrix: the problems that the options select, or the modules of the
// adapter with their own weights.
std::vector<MatrixCase> selected_shapes(const Options& options) {
  std::vector<MatrixCase> shapes;
  if (options.adapter.path.empty()) {
    for (const Problem& problem : select_problems(options)) {
      MatrixCase& made = shapes.emplace_back();
      made.shape.problem = problem;
      made.fills = {Fill::exact, Fill::real};
    }
    return shapes;
  }
  for (const ModuleProblem& one : module_problems(options)) {
    MatrixCase& made = shapes.emplace_back();
    made.shape.problem = one.problem;
    made.shape.weights = options.adapter;
    made.shape.weights.module = one.module;
    made.fills = {Fill::real};
  }
  return shapes;
}

// Of the selected shapes: the given config, or the default, on each problem that the variant
// takes.
std::vector<MatrixCase> chosen_cases(const Options& options, const Variant& variant,
                                     const DeviceInfo& device) {
  std::vector<MatrixCase> cases;
  std::set<std::string> declined;  // modules of an adapter share problems
  for (const MatrixCase& shape : selected_shapes(options)) {
    const Problem& problem = shape.shape.problem;
    if (!variant.supports(problem, device)) {
      if (!declined.insert(to_string(problem)).second) continue;
      std::fprintf(stderr, "%s declines %s\n", std::string(variant.name).c_str(),
                   to_string(problem).c_str());
      continue;
    }
    MatrixCase made = shape;
    made.variant = &variant;
    made.config = variant.default_config(problem, device);
    made.device = device;
    if (!options.config.empty()) {
      const auto config = parse_config(variant.space, options.config);
      if (!config || !variant.space.constraint(*config, problem, device)) {
        const std::string why = config ? "its constraint refuses it on this device"
                                       : config_fault(variant.space, options.config);
        throw Failure(kExitUsage, "--config \"" + options.config + "\" is no config of " +
                                      std::string(variant.name) + " for " + to_string(problem) +
                                      ": " + why);
      }
      made.config = *config;
    }
    if (!options.strides.empty()) set_strides(options.strides, made.shape);
    cases.push_back(made);
  }
  return cases;
}

void print_row(const Row& row) {
  const char* word = !row.failures.empty() ? "FAILED" : row.cases == row.skipped ? "skipped" : "ok";
  std::printf("%-17s %-10s %-4s %-13s %6d %8d %12.3f  %s\n", row.variant.c_str(), row.dtype.c_str(),
              row.write.c_str(), row.shape_class.c_str(), row.cases, row.skipped, row.worst, word);
  std::fflush(stdout);
  for (const std::string& skip : row.skips) std::fprintf(stderr, "  %s\n", skip.c_str());
  for (std::size_t i = 0; i < std::min<std::size_t>(row.failures.size(), 5); ++i) {
    std::fprintf(stderr, "  %s\n", row.failures[i].c_str());
  }
  if (row.failures.size() > 5) std::fprintf(stderr, "  and %zu more\n", row.failures.size() - 5);
}

// A row and what belongs to it.
struct Planned {
  Row row;
  std::vector<MatrixCase> cases;
};

// Of all cases in order, `most` evenly spread ones.
void thin(std::vector<Planned>& planned, int most) {
  std::size_t all = 0;
  for (const Planned& group : planned) all += group.cases.size();
  const auto wanted = static_cast<std::size_t>(most);
  if (most == 0 || all <= wanted) return;
  std::size_t index = 0;
  for (Planned& group : planned) {
    std::erase_if(group.cases, [&](const MatrixCase&) {
      const std::size_t i = index++;
      return i * wanted / all == (i + 1) * wanted / all;
    });
  }
}

// Returns how many it dropped.
std::size_t drop_long(std::vector<MatrixCase>& cases, double most_flops) {
  if (most_flops <= 0) return 0;
  return std::erase_if(cases, [&](const MatrixCase& one) {
    return one.variant->flops(one.shape.problem, one.config) > most_flops;
  });
}

// Here and below `too_long` counts the cases that --max-flops leaves out.
std::vector<Planned> selected_row(const Options& options, const Variant& variant,
                                  const DeviceInfo& device, std::size_t& too_long) {
  std::vector<Planned> planned(1);
  Planned& group = planned.front();
  group.row.variant = variant.name;
  group.row.dtype = group.row.write = "-";
  group.row.shape_class = "selected";
  group.cases = chosen_cases(options, variant, device);
  too_long += drop_long(group.cases, options.max_flops);
  thin(planned, options.most_cases);
  return planned;
}

std::vector<Planned> planned_rows(const Options& options, const Variant& variant,
                                  const DeviceInfo& device, std::size_t& too_long) {
  const std::vector<Types> wanted = read_types(options.dtypes);
  std::vector<Planned> planned;
  for (const ShapeClass shape_class : kShapeClasses) {
    for (const Types& types : matrix_types()) {
      if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), types) == wanted.end()) {
        continue;
      }
      for (const bool accumulate : {false, true}) {
        if (options.set && accumulate) continue;
        Planned group;
        group.row.variant = variant.name;
        group.row.dtype = to_string(types);
        group.row.write = accumulate ? "acc" : "set";
        group.row.shape_class = to_string(shape_class);
        group.cases = matrix_cases(variant, device, shape_class, types, accumulate, options.full);
        too_long += drop_long(group.cases, options.max_flops);
        planned.push_back(std::move(group));
      }
    }
  }
  thin(planned, options.most_cases);
  return planned;
}

// Runs the cases of each variant, and prints each row as soon as it is whole. An interrupt leaves
// the last row with the cases that were run.
class Checking {
 public:
  explicit Checking(const Options& options)
      : options_(options), cases_(options.device, options.patience_s) {
    cases_.interrupt_when(interrupted);
  }

  void run(std::vector<Planned> groups) {
    hung_ = 0;
    for (Planned& group : groups) {
      if (group.cases.empty()) continue;
      Row& row = rows_.emplace_back(std::move(group.row));
      for (const MatrixCase& matrix_case : group.cases) run_into(row, matrix_case);
      if (!options_.json) print_row(row);
    }
  }

  const std::vector<Row>& rows() const { return rows_; }

 private:
  void run_into(Row& row, const MatrixCase& matrix_case) {
    CheckResult result;
    if (hung_ < kMostHung) {
      result = cases_.run(matrix_case);
      hung_ += result.outcome == Outcome::timeout ? 1 : 0;
    } else {
      result.outcome = Outcome::skipped;
      result.detail = "not tried, since so many cases of the variant did not end before: " +
                      std::to_string(kMostHung);
    }
    std::string reproduce = reproduce_line(matrix_case);
    if (!options_.device.empty()) reproduce += " --device " + shell_word(options_.device);
    add(row, result, reproduce);
  }

  const Options& options_;
  CaseProcess cases_;
  std::vector<Row> rows_;
  int hung_ = 0;  // cases of the variant that did not end
};

// Why there is no case: the limit left none, or no selected variant takes a selected problem, with
// what those need that do not run on every device.
std::string why_nothing(const Options& options, std::size_t too_long) {
  if (too_long > 0) {
    return "every case has more operations than --max-flops allows (" + std::to_string(too_long) +
           " cases)";
  }
  std::string why;
  for (const Variant* variant : select_variants(options)) {
    if (variant->needs.empty()) return "no selected variant takes a selected problem";
    why += (why.empty() ? "" : "; ") + std::string(variant->name) + " needs " +
           std::string(variant->needs);
  }
  return why;
}

}  // namespace

int check_mode(const Options& options) {
  read_types(options.dtypes);
  const bool selected = gives_shapes(options) || !options.problem_keys.empty() ||
                        !options.problems_file.empty() || !options.config.empty() ||
                        options.quick || !options.adapter.path.empty();
  if (selected && options.full) {
    throw Failure(kExitUsage, "--full is of the matrix, not of selected problems");
  }
  if (!selected && !options.strides.empty()) {
    throw Failure(kExitUsage, "--strides wants the problems that it is for, such as --problem");
  }
  select_variants(options);
  if (selected) select_problems(options);  // so that bad input is told before a device is sought
  const DeviceInfo device = select_device(options.device).info;
  note_interrupts();
  Checking checking(options);
  if (!options.json) {
    std::printf(
        "%s\nBound: %g * 2^-24 * sqrt(k + rank) * (|y| + |scale| |x||A||B|) + one rounding of the "
        "output\n\n",
        display_name(device).c_str(), kBoundFactor);
    std::printf("%-17s %-10s %-4s %-13s %6s %8s %12s\n", "variant", "dtype", "y", "class", "cases",
                "skipped", "error/bound");
  }
  std::size_t too_long = 0;
  try {
    for (const Variant* variant : select_variants(options)) {
      checking.run(selected ? selected_row(options, *variant, device, too_long)
                            : planned_rows(options, *variant, device, too_long));
    }
  } catch (const Interrupted&) {  // what was checked until then is told
  }
  const std::vector<Row>& rows = checking.rows();
  if (rows.empty() && !interrupted()) {
    throw Failure(kExitUsage, "nothing to check: " + why_nothing(options, too_long));
  }
  ExitCode code = kExitGood;
  int failed = 0;
  int cases = 0;
  int skipped = 0;
  json out = json::array();
  for (const Row& row : rows) {
    code = worse(code, row.exit_code);
    failed += static_cast<int>(row.failures.size());
    cases += row.cases;
    skipped += row.skipped;
    out.push_back({{"variant", row.variant},
                   {"dtype", row.dtype},
                   {"write", row.write},
                   {"class", row.shape_class},
                   {"cases", row.cases},
                   {"skipped", row.skipped},
                   {"skips", row.skips},
                   {"error_over_bound", row.worst},
                   {"failures", row.failures}});
  }
  if (options.json) {
    std::printf("%s\n", out.dump(2).c_str());
  } else {
    std::printf("\n%d cases, %d failed, %d skipped%s\n", cases, failed, skipped,
                interrupted() ? "; interrupted" : "");
  }
  return interrupted() ? worse(code, kExitInterrupted) : code;
}

}  // namespace loratune
