#include "harness/gate/run.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <set>

#include "dispatch/internal/printable.h"
#include "harness/gate/report.h"
#include "harness/timing/measure.h"
#include "harness/worker/prepared_arms.h"
#include "tuner/random.h"

namespace loratune {
namespace {

// Two arms to be timed: plans, or for packing the layouts of plans.
struct Pair {
  std::string name;
  Problem problem;
  const LaunchPlan* plans[2] = {nullptr, nullptr};
  bool packing = false;
};

// Whole nanoseconds are what is kept, and so what is decided by.
void round_times(RoundReply& reply) {
  constexpr double kWhole = 1000;
  for (double& ns : reply.ns) {
    if (ns >= kWhole) ns = std::round(ns);
  }
}

class Runner {
 public:
  Runner(const GateOptions& options, Worker& worker, const std::function<bool()>& interrupted)
      : options_(options), worker_(worker), arms_(worker), interrupted_(interrupted) {}

  // Prepares both arms and, where both are correct, runs the trials that the rules want: behind
  // those that the case has had already.
  void run(const Pair& pair, bool sentinel, bool timed, GateCase& out) {
    std::vector<TrialEnd> ends;
    do {
      const std::size_t number = out.trials.size();
      const std::uint64_t seed = mix_seed(seed_of(pair.name, options_.seed), number);
      if (number > 0) worker_.restart();
      select(pair, seed);
      if (!prepare(number % 2 == 1, out) || !timed) return;
      out.trials.push_back(run_trial(seed, sentinel, pair.packing, out));
      ends = ends_of(out, sentinel);
      if (ends.back() != TrialEnd::failed && !pair.packing) recheck(out);
      // A case is judged by its trials, a sentinel by the last of at most two.
    } while ((sentinel ? !stands(out, options_.rules) : !judge_trials(ends)) &&
             out.candidate.outcome == Outcome::correct);
  }

  // Whether the last trial was disturbed, so that another may decide.
  bool disturbed(const GateCase& one) const {
    const std::vector<TrialEnd> ends = ends_of(one, false);
    return !ends.empty() && ends.back() == TrialEnd::environment;
  }

  // Only that the candidate is correct.
  void check(const Pair& pair, GateCase& out) {
    select(pair, seed_of(out.name, options_.seed));
    prepare_side(kCandidateArm, out);
  }

 private:
  std::vector<TrialEnd> ends_of(const GateCase& one, bool sentinel) const {
    std::vector<TrialEnd> ends;
    for (const TrialRecord& trial : one.trials) {
      ends.push_back(trial_of(trial, options_.rules, sentinel).end());
    }
    return ends;
  }

  // The same data for all cases of a problem; a fresh trial brings its own.
  void select(const Pair& pair, std::uint64_t seed) {
    if (interrupted_()) throw Interrupted{};
    arms_.select(pair.problem, seed, Cache::warm, false, [&pair](Worker& worker, int arm) {
      const LaunchPlan& plan = *pair.plans[arm];
      return pair.packing ? worker.prepare_pack(arm, plan.a, plan.b) : worker.prepare(arm, plan, 0);
    });
  }

  static Prepared& side_of(GateCase& out, int arm) {
    return arm == kBaseArm ? out.base : out.candidate;
  }

  // An arm whose process is lost meanwhile is prepared once more, once a case: an innocent one may
  // be killed by others, and one that kills it now and then is found by its second loss.
  void prepare_side(int arm, GateCase& out) {
    Prepared& side = side_of(out, arm);
    side = arms_.prepare(arm);
    if (is_loss(side.outcome) && forgiven_.insert({out.name, arm}).second) {
      std::fprintf(stderr, "%s: its process was lost while %s was prepared (%s); once more\n",
                   printable_line(out.name).c_str(), arm == kBaseArm ? "the base" : "the candidate",
                   std::string(to_string(side.outcome)).c_str());
      side = arms_.prepare(arm);
    }
  }

  // In a confirmation the other arm comes first, so that memory is laid out otherwise.
  bool prepare(bool candidate_first, GateCase& out) {
    for (int i = 0; i < 2; ++i) {
      const int arm = candidate_first ? 1 - i : i;
      prepare_side(arm, out);
    }
    return out.base.outcome == Outcome::correct && out.candidate.outcome == Outcome::correct;
  }

  TrialRecord run_trial(std::uint64_t seed, bool sentinel, bool packing, GateCase& out) {
    TrialRecord record;
    record.seed = seed;
    // One number for both arms: what the block's end costs is then the same share of each. Packing
    // has no such cost, since every run waits for its own end.
    const double run_ns = std::min(out.base.probe_ns, out.candidate.probe_ns);
    record.runs = packing ? runs_of_a_millisecond(run_ns) : block_runs(run_ns);
    PairedTrial trial(seed, options_.rules, sentinel);
    for (auto round = trial.next(); round; round = trial.next()) {
      if (interrupted_()) throw Interrupted{};
      round->runs = std::max(record.runs / trial.shorten(), 1);
      RoundReply reply = arms_.run_round(*round);
      reply.doubled_ns.clear();
      round_times(reply);
      trial.report(reply);
      if (reply.failed >= kBaseArm) {
        Prepared& side = side_of(out, reply.failed);
        side.outcome = trial.failure();
        if (side.detail.empty()) side.detail = "while it was timed";
      }
      record.replies.push_back(std::move(reply));
    }
    return record;
  }

  void recheck(GateCase& out) {
    for (const int arm : {kBaseArm, kCandidateArm}) {
      Prepared checked = arms_.recheck(arm);
      if (checked.outcome == Outcome::correct) continue;
      side_of(out, arm).outcome = checked.outcome;
      side_of(out, arm).detail = "after it was timed: " + checked.detail;
    }
  }

  const GateOptions& options_;
  Worker& worker_;
  PreparedArms arms_;
  std::set<std::pair<std::string, int>> forgiven_;  // a case's arms that were prepared once more
  const std::function<bool()>& interrupted_;
};

constexpr const char* kSentinelSource = R"CL(
kernel void shrink(global const float* x, long off_x, long ld_x, global const float* a,
                   global float* h, int m, int k, int rank) {
  const long i = (long)get_global_id(0);
  if (i >= (long)m * rank) return;
  x += off_x + i / rank * ld_x;
  a += i % rank * k;
  float sum = 0.0f;
  for (int j = 0; j < k; ++j) sum += x[j] * a[j];
  h[i] = sum;
}

kernel void expand(global const float* h, global const float* b, global float* y, long off_y,
                   long ld_y, float scale, int m, int n, int rank) {
  const long i = (long)get_global_id(0);
  if (i >= (long)m * n) return;
  h += i / n * rank;
  b += i % n * rank;
  float sum = 0.0f;
  for (int j = 0; j < rank; ++j) sum += h[j] * b[j];
  y[off_y + i / n * ld_y + i % n] += scale * sum;
}
)CL";

struct Sentinel {
  const char *name, *problem;
};
constexpr Sentinel kSentinels[] = {{"small", "m1_k64_n64_r4_f32_acc"},
                                   {"medium", "m64_k512_n512_r16_f32_acc"},
                                   {"memory", "m1_k16_n262144_r16_f32_acc"}};

// False where there is no sense in timing anything.
bool run_sentinels(Runner& runner, const GateRules& rules, const std::string& when,
                   std::vector<GateCase>& out) {
  bool all_timed = true;
  bool believed = false;
  for (const Sentinel& sentinel : kSentinels) {
    GateCase one;
    one.name = "sentinel/" + std::string(sentinel.name) + "/" + when;
    one.equal = true;
    std::string why;
    const Problem problem = parse_problem(sentinel.problem, why).value();
    const LaunchPlan base = sentinel_plan(problem, kBaseArm);
    const LaunchPlan candidate = sentinel_plan(problem, kCandidateArm);
    const Pair pair{one.name, problem, {&base, &candidate}};
    runner.run(pair, true, true, one);
    const SentinelState state = read_sentinel(sentinel_trial(one, rules), rules).state;
    all_timed = all_timed && state != SentinelState::untimed;
    believed = believed || state != SentinelState::biased;
    out.push_back(std::move(one));
  }
  return all_timed && believed;
}

// A case, and what its two sides would run.
struct Planned {
  GateCase result;
  Pair pair;
};

// Whether a plan runs functions of this program and no kernel of its own.
bool is_all_native(const LaunchPlan& plan) {
  return !plan.launches.empty() && std::ranges::all_of(plan.launches, &Launch::native);
}

std::vector<Planned> plan_cases(const PlansFile& base, const PlansFile& candidate) {
  std::map<std::string, Planned> cases;
  const PlansFile* sides[] = {&base, &candidate};
  for (int side = 0; side < 2; ++side) {
    for (const PlanCase& one : sides[side]->cases) {
      Planned& planned = cases[one.name];
      planned.pair.name = planned.result.name = one.name;
      planned.pair.problem = one.problem;
      planned.pair.plans[side] = &one.plan;
    }
  }
  std::vector<Planned> packs;
  for (auto& [name, planned] : cases) {
    const LaunchPlan* const* plans = planned.pair.plans;
    planned.result.in_base = plans[0] != nullptr;
    planned.result.in_candidate = plans[1] != nullptr;
    if (plans[0] == nullptr || plans[1] == nullptr) continue;
    planned.result.equal = *plans[0] == *plans[1];
    if (is_all_native(*plans[0]) && is_all_native(*plans[1])) {
      planned.result.untimed = "both sides run the code of the lora-bench that ran the gate";
    }
    // Parts are packed as the variants that they are of.
    if (!name.starts_with("pick/") || !plans[0]->parts.empty() || !plans[1]->parts.empty()) {
      continue;
    }
    Planned pack = planned;
    pack.result.untimed.clear();
    pack.pair.packing = true;
    pack.pair.name = pack.result.name = "pack/" + to_string(planned.pair.problem);
    pack.result.equal = plans[0]->a == plans[1]->a && plans[0]->b == plans[1]->b;
    packs.push_back(std::move(pack));
  }
  for (Planned& pack : packs) cases.emplace(pack.pair.name, std::move(pack));
  std::vector<Planned> list;
  for (auto& [name, planned] : cases) list.push_back(std::move(planned));
  return list;
}

// The earlier case that times the very same two plans on the same problem.
const Planned* same_plans(std::span<const Planned> earlier, const Planned& planned) {
  for (const Planned& other : earlier) {
    const Pair &a = other.pair, &b = planned.pair;
    if (a.problem != b.problem || a.packing || b.packing || !other.result.same_as.empty()) continue;
    if (a.plans[0] == nullptr || a.plans[1] == nullptr) continue;
    if (*a.plans[0] == *b.plans[0] && *a.plans[1] == *b.plans[1]) return &other;
  }
  return nullptr;
}

}  // namespace

LaunchPlan sentinel_plan(const Problem& problem, int arm) {
  constexpr std::uint64_t kGroup = 64;
  const auto items = [](std::int64_t count) {
    return (static_cast<std::uint64_t>(count) + kGroup - 1) / kGroup * kGroup;
  };
  LaunchPlan plan;
  plan.source = kSentinelSource;
  plan.defines = {{"SENTINEL_ARM", arm}};
  plan.scratch = {{static_cast<std::uint64_t>(problem.m * problem.rank) * sizeof(float)}};
  Launch shrink{"shrink", 1, {items(problem.m * problem.rank), 1, 1}, {kGroup, 1, 1}, {}};
  shrink.args = {{Role::x},          {Role::off_x}, {Role::ld_x}, {Role::a},
                 {Role::scratch, 0}, {Role::m},     {Role::k},    {Role::rank}};
  Launch expand{"expand", 1, {items(problem.m * problem.n), 1, 1}, {kGroup, 1, 1}, {}};
  expand.args = {{Role::scratch, 0}, {Role::b}, {Role::y}, {Role::off_y}, {Role::ld_y},
                 {Role::scale},      {Role::m}, {Role::n}, {Role::rank}};
  plan.launches = {shrink, expand};
  return plan;
}

GateResult run_gate(const PlansFile& base, const PlansFile& candidate, const GateOptions& options,
                    Worker& worker, const std::function<bool()>& interrupted,
                    const std::function<void(const GateProgress&)>& progress) {
  GateResult result;
  result.base_tool = base.tool;
  result.candidate_tool = candidate.tool;
  result.device = base.device;
  result.seed = options.seed;
  result.rules = options.rules;
  result.time_unchanged = options.time_unchanged;
  Runner runner(options, worker, interrupted);
  std::vector<Planned> cases = plan_cases(base, candidate);

  const auto only_checked = [](const Planned& one) {
    return !one.result.in_base || !one.result.untimed.empty();
  };
  const auto tried = [&](const Planned& one) {
    const bool changed = !one.result.equal || options.time_unchanged;
    return one.result.in_candidate && (changed || only_checked(one));
  };
  const auto compared = [&](const Planned& one) { return tried(one) && !only_checked(one); };
  const bool timing = std::any_of(cases.begin(), cases.end(), compared);
  bool usable = true;
  // How far an interrupted run came. What was under way then is not whole.
  std::size_t tried_cases = 0;
  std::size_t whole = 0;
  const auto still_wanted = [&] {
    if (interrupted()) throw Interrupted{};
  };
  try {
    if (timing) {
      progress({0, cases.size(), "sentinels"});
      usable = run_sentinels(runner, options.rules, "before", result.sentinels);
    }
    for (; whole < cases.size(); ++whole) {
      Planned& one = cases[whole];
      if (!tried(one)) continue;
      progress({whole, cases.size(), one.result.name});
      if (only_checked(one)) {
        runner.check(one.pair, one.result);
      } else if (const Planned* other = same_plans({cases.data(), whole}, one)) {
        one.result.same_as = other->result.name;
      } else {
        runner.run(one.pair, false, usable, one.result);
      }
      still_wanted();  // its worker may have been ended by the same signal
      ++tried_cases;
    }
    // What disturbs a machine passes: a case whose rounds it took has another trial in the end.
    for (Planned& one : cases) {
      if (!usable || !runner.disturbed(one.result)) continue;
      progress({cases.size(), cases.size(), one.result.name});
      GateCase again = one.result;
      runner.run(one.pair, false, usable, again);
      still_wanted();
      one.result = std::move(again);
    }
    if (timing && usable) {
      progress({cases.size(), cases.size(), "sentinels"});
      std::vector<GateCase> after;
      run_sentinels(runner, options.rules, "after", after);
      still_wanted();
      for (GateCase& one : after) result.sentinels.push_back(std::move(one));
    }
  } catch (const Interrupted&) {
    if (tried_cases == 0) throw;  // nothing is lost
    result.interrupted = true;
    std::size_t at = 0;
    std::erase_if(cases, [&](const Planned& one) { return at++ >= whole && tried(one); });
  }
  result.launch_floor_ns = worker.launch_floor_ns();
  for (Planned& one : cases) result.cases.push_back(std::move(one.result));
  return result;
}

}  // namespace loratune
