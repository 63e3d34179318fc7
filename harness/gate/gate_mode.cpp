#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "dispatch/internal/printable.h"
#include "harness/base/device_json.h"
#include "harness/base/device_lock.h"
#include "harness/base/failure.h"
#include "harness/base/interrupt.h"
#include "harness/base/options.h"
#include "harness/base/output_files.h"
#include "harness/base/problem_size.h"
#include "harness/base/selection.h"
#include "harness/base/terminal.h"
#include "harness/base/tool_info.h"
#include "harness/gate/files.h"
#include "harness/gate/modes.h"
#include "harness/gate/plans_file.h"
#include "harness/gate/report.h"
#include "harness/gate/run.h"

namespace loratune {
namespace {

Dispatcher make_dispatcher(const Options& options, const DeviceInfo& device) {
  if (options.tuned.empty()) return Dispatcher(device);
  Dispatcher::Loaded loaded = Dispatcher::load(options.tuned, device);
  if (!loaded.dispatcher) throw Failure(kExitUsage, loaded.error);
  return std::move(*loaded.dispatcher);
}

PlansFile make_plans(const Options& options, std::span<const Problem> problems,
                     std::span<const Variant* const> chosen, const DeviceInfo& device) {
  return {tool_info(), device,
          make_cases(problems, chosen, make_dispatcher(options, device), options.mode)};
}

std::vector<Problem> problems_of(const PlansFile& plans) {
  std::vector<Problem> problems;
  for (const PlanCase& one : plans.cases) {
    if (std::find(problems.begin(), problems.end(), one.problem) == problems.end()) {
      problems.push_back(one.problem);
    }
  }
  return problems;
}

// A variant's name, or `pick`.
std::string kind_of(const PlanCase& one) { return one.name.substr(0, one.name.find('/')); }

// Leaves the cases of the selected problems; all without a selection.
void keep_problems(PlansFile& plans, const std::optional<std::vector<Problem>>& problems) {
  if (!problems) return;
  std::erase_if(plans.cases, [&](const PlanCase& one) {
    return std::find(problems->begin(), problems->end(), one.problem) == problems->end();
  });
}

// Leaves the picks and the cases of the selected variants; all without a selection.
void keep_variants(PlansFile& plans, const std::vector<std::string>& names) {
  if (names.empty()) return;
  std::erase_if(plans.cases, [&](const PlanCase& one) {
    const std::string kind = kind_of(one);
    return kind != "pick" && std::count(names.begin(), names.end(), kind) == 0;
  });
}

// A variant may be on one side only: it is new there, or was removed. A name that no side knows is
// a mistake, and a gate of nothing would pass.
void require_known_variants(const std::vector<std::string>& names, const PlansFile& base,
                            const PlansFile& candidate) {
  for (const std::string& name : names) {
    const auto of_it = [&](const PlanCase& one) { return kind_of(one) == name; };
    if (find_variant(name) != nullptr || std::any_of(base.cases.begin(), base.cases.end(), of_it) ||
        std::any_of(candidate.cases.begin(), candidate.cases.end(), of_it)) {
      continue;
    }
    throw Failure(kExitUsage, "--variants: neither the base nor the candidate has a variant '" +
                                  printable(name) + "'; --list shows those of this build");
  }
}

// The cases that --allow-missing names, by their whole names: a problem's key may be given short.
// One that no side has may be gone for long, so that is only told.
std::vector<std::string> allowed_cases(const std::vector<std::string>& given, const PlansFile& base,
                                       const PlansFile& candidate) {
  const auto there = [&](const std::string& name) {
    const auto of_it = [&](const PlanCase& one) { return one.name == name; };
    return std::any_of(base.cases.begin(), base.cases.end(), of_it) ||
           std::any_of(candidate.cases.begin(), candidate.cases.end(), of_it);
  };
  std::vector<std::string> names;
  for (const std::string& word : given) {
    names.push_back(word);
    if (there(word)) continue;
    const std::size_t slash = word.find('/');
    std::string why;
    const auto problem =
        parse_problem(slash == word.npos ? "" : std::string_view(word).substr(slash + 1), why);
    if (!problem) {
      throw Failure(kExitUsage, "--allow-missing: '" + printable(word, 200) +
                                    "' is no case, as split/m16_k512_n512_r8_f32_acc is one");
    }
    names.back() = word.substr(0, slash + 1) + to_string(*problem);
    if (there(names.back())) continue;
    std::fprintf(stderr, "--allow-missing %s: no selected case has this name\n",
                 printable_line(word).c_str());
  }
  return names;
}

void require_device(const PlansFile& plans, const std::string& path, const DeviceInfo& device) {
  DeviceInfo like_theirs = device;
  // Only native plans by these, and no gate times it.
  like_theirs.usable_cpus = plans.device.usable_cpus;
  if (same_device(plans.device, like_theirs)) return;
  throw Failure(kExitUsage, "plans file '" + path + "' was made for " + display_name(plans.device) +
                                ", driver " + plans.device.driver + "; this is " +
                                display_name(device) + ", driver " + device.driver);
}

// What a command that runs a case again needs beside the two plans and the seed.
std::vector<std::string> made_with(const Options& options) {
  std::vector<std::string> words;
  const auto add = [&](const char* option, const std::string& value) {
    if (!value.empty()) words.insert(words.end(), {option, value});
  };
  add("--device", options.device);
  add("--tuned", options.tuned);
  if (options.mode != Mode::fast) add("--mode", std::string(to_string(options.mode)));
  std::string looks;
  for (const int look : options.gate.looks) {
    looks += (looks.empty() ? "" : ",") + std::to_string(look);
  }
  add("--looks", looks);
  return words;
}

// On a terminal in one line that is written over, elsewhere in a line each.
void show_progress(const Terminal& terminal, const GateProgress& progress) {
  const std::string count = std::to_string(progress.done) + "/" + std::to_string(progress.cases);
  const std::string doing = printable_line(progress.doing);  // a case's name is a file's word
  if (terminal.live) {
    const Piece pieces[] = {{bar(progress.done, progress.cases, 16), Style::good},
                            {" " + count + ", "},
                            {doing, Style::faint}};
    std::fprintf(stderr, "\r%s\033[K", one_line(terminal, pieces).c_str());
  } else {
    std::fprintf(stderr, "%s %.60s\n", count.c_str(), doing.c_str());
  }
}

GateResult run_live(const Options& options) {
  const GateArguments& arguments = options.gate;
  const Device device = select_device(options.device);
  PlansFile base = read_plans(arguments.base);
  require_device(base, arguments.base, device.info);
  std::optional<std::vector<Problem>> selected;
  if (selects_problems(options)) selected = select_problems(options);
  keep_problems(base, selected);
  PlansFile candidate;
  if (arguments.against.empty()) {
    // What is selected and the base does not have is NEW, not lost from sight.
    candidate =
        make_plans(options, selected ? *selected : problems_of(base), variants(), device.info);
  } else {
    candidate = read_plans(arguments.against);
    require_device(candidate, arguments.against, device.info);
    keep_problems(candidate, selected);
  }
  require_known_variants(options.variants, base, candidate);
  keep_variants(base, options.variants);
  keep_variants(candidate, options.variants);
  if (base.cases.empty() && (candidate.cases.empty() || options.variants.empty())) {
    throw Failure(kExitUsage, "plans file '" + arguments.base + "' holds no case that is selected");
  }
  const std::vector<std::string> allow_missing =
      allowed_cases(arguments.allow_missing, base, candidate);
  for (const PlansFile* side : {&base, &candidate}) {
    require_timeable(problems_of(*side), device.info);
  }

  GateOptions gate;
  gate.seed = options.seed;
  gate.time_unchanged = arguments.time_unchanged;
  if (!arguments.looks.empty()) {
    gate.rules.looks.rounds = gate.rules.short_looks.rounds = arguments.looks;
  }
  validate(gate.rules);
  tell_limit(device.info);
  const DeviceLock lock(device_place(device), options.lock_wait_s);
  note_interrupts();
  Worker worker(options.device);
  worker.interrupt_when(interrupted);
  const Terminal terminal = terminal_of(STDERR_FILENO);
  GateResult result =
      run_gate(base, candidate, gate, worker, interrupted,
               [&](const GateProgress& progress) { show_progress(terminal, progress); });
  if (terminal.live) std::fprintf(stderr, "\r\033[K");
  result.tool = tool_info();
  result.base_path = arguments.base;
  result.against_path = arguments.against;
  result.made_with = made_with(options);
  result.strict = arguments.strict;
  result.allow_missing = allow_missing;
  return result;
}

}  // namespace

int export_plans_mode(const Options& options) {
  const NamedFile file{"--export-plans", options.gate.plans};
  require_writable({file}, {{"--tuned", options.tuned}, {"--problems", options.problems_file}});
  // A name mistyped costs no work. A plans file of another version is ours too.
  require_ours(file, "loratune/plans", "plans file");
  const Device device = select_device(options.device);
  const std::vector<Problem> problems =
      selects_problems(options) ? select_problems(options) : gate_problems();
  PlansFile plans = make_plans(options, problems, select_variants(options), device.info);
  for (PlanCase& one : plans.cases) {
    one.plan = with_repeated_work(one.plan, one.problem, options.gate.repeat_work);
  }
  write_plans(options.gate.plans, plans);
  std::fprintf(stderr, "%s: plans of %zu cases, %zu problems, %s\n",
               printable_line(options.gate.plans).c_str(), plans.cases.size(), problems.size(),
               printable_line(display_name(device.info)).c_str());
  return kExitGood;
}

int gate_mode(const Options& options) {
  const bool replaying = options.gate.base.empty();
  try_files(options, replaying);
  const GateResult result = replaying ? read_gate_result(options.replay) : run_live(options);
  const GateReport report = judge(result);
  const std::string document = to_json_text(result, report);
  // The verdict comes first: it took minutes, and a disk may be full by now.
  std::printf("%s", options.json ? document.c_str() : to_text(result, report).c_str());
  std::fflush(stdout);
  if (!write_files(options, replaying, result, report, document)) return kExitUsage;
  if (!replaying) {
    std::fprintf(stderr, "%s: what was measured; --replay shows this again\n",
                 printable_line(options.out).c_str());
  }
  return report.exit;
}

}  // namespace loratune
