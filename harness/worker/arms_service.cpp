#include "harness/worker/arms_service.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>

#include "harness/base/failure.h"
#include "harness/base/plan_json.h"
#include "harness/base/selection.h"
#include "harness/check/checker.h"
#include "harness/timing/ceilings.h"
#include "harness/timing/round_timer.h"
#include "harness/timing/weight_ring.h"
#include "harness/worker/protocol.h"
#include "loratune/variants/packing.h"

namespace loratune {
namespace {

using nlohmann::json;

struct Arm {
  std::unique_ptr<Executable> executable;
  const std::vector<Operands>* ring = nullptr;
  TimedArm timed;
};

// A problem's data and what was prepared for it.
struct ProblemState {
  std::unique_ptr<Checker> checker;
  std::unique_ptr<WeightRing> ring;
  std::map<int, Arm> arms;
};

// While a MemoryLimit lives, the process may take so many bytes more than it has. What counts is
// writable memory (RLIMIT_DATA), not addresses: GPU drivers reserve more addresses than memory.
class MemoryLimit {
 public:
  explicit MemoryLimit(std::int64_t more_bytes) {
    std::ifstream statm("/proc/self/statm");
    rlim_t pages = 0;
    for (int field = 0; field < 6; ++field) statm >> pages;  // the sixth: data and stack
    if (!statm || getrlimit(RLIMIT_DATA, &before_) != 0) return;
    const rlim_t most =
        pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + static_cast<rlim_t>(more_bytes);
    const rlimit lower = {std::min(most, before_.rlim_max), before_.rlim_max};
    set_ = setrlimit(RLIMIT_DATA, &lower) == 0;
  }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;
  ~MemoryLimit() {
    if (set_) setrlimit(RLIMIT_DATA, &before_);
  }

 private:
  rlimit before_{};
  bool set_ = false;
};

class Arms {
 public:
  explicit Arms(WorkerShared& shared) : current_arm_(&shared.current_arm) {}

  // Whatever goes wrong is a result; only that the device cannot be opened is for the caller.
  json reply_to(const json& message) {
    try {
      return handle(message);
    } catch (const Failure&) {
      throw;
    } catch (const std::exception& error) {
      return failure(Outcome::runtime, error.what());
    }
  }

 private:
  json handle(const json& message) {
    const auto what = message.at("do").get<std::string>();
    if (what == "open") return open(message);
    if (what == "problem") return select(message);
    if (what == "build") return build(message);
    if (what == "prepare") return prepare(message);
    if (what == "prepare_pack") return prepare_pack(message);
    if (what == "round") return round(message);
    if (what == "recheck") return recheck(message);
    if (what == "events") return events(message);
    if (what == "ceilings") return to_json(measure_ceilings(*engine_, *probes_));
    throw std::invalid_argument("unknown request");
  }

  json open(const json& message) {
    const bool times = message.at("times").get<bool>();
    // PoCL compiles in its threads: pinned, the threads of several processes would share cores.
    if (!times) unsetenv("POCL_AFFINITY");
    engine_ = std::make_unique<Engine>(select_device(message.at("device").get<std::string>()));
    if (times) probes_ = std::make_unique<Probes>(*engine_);
    message.at("build_bytes").get_to(build_bytes_);
    return {{"device", display_name(engine_->info())},
            {"floor_ns", times ? probes_->launch_floor_ns() : 0}};
  }

  json select(const json& message) {
    const auto key = message.at("problem").get<std::string>();
    if (!message.value("keep", false)) states_.clear();
    if (states_.contains(key)) {
      state_ = &states_.at(key);
      return json::object();
    }
    state_ = nullptr;
    Case selected;
    std::string why;
    selected.problem = parse_problem(key, why).value();
    selected.fill = Fill::real;
    selected.seed = message.at("seed").get<std::uint64_t>();
    ProblemState state;
    state.checker = std::make_unique<Checker>(*engine_, selected);
    const Cache cache = parse_cache(message.at("cache").get<std::string>()).value();
    state.ring = std::make_unique<WeightRing>(*engine_, *state.checker, cache);
    state_ = &states_.emplace(key, std::move(state)).first->second;
    return json::object();
  }

  // The plan is built and run once on small operands of zeros: enough to make a driver compile.
  json build(const json& message) {
    const MemoryLimit limit(build_bytes_);
    const LaunchPlan plan = plan_from_json(message.at("plan"));
    std::string why;
    const Problem problem = parse_problem(message.at("problem").get<std::string>(), why).value();
    Built built = engine_->build(problem, plan);
    if (built.outcome != Outcome::correct) return failure(built.outcome, built.detail);
    const auto zeros = [&](std::int64_t elements, Dtype dtype) {
      const std::int64_t bytes = elements * element_bytes(dtype);
      return make_buffer(engine_->context(), static_cast<std::size_t>(bytes));
    };
    const Handle<cl_mem> x = zeros(problem.m * problem.k, problem.dtype);
    const Handle<cl_mem> y = zeros(problem.m * problem.n, problem.dtype);
    // Every slice has the same zeros.
    const std::vector<float> factors(
        static_cast<std::size_t>(std::max(problem.k, problem.n) * problem.rank));
    const std::vector<Factors> modules(static_cast<std::size_t>(slice_count(problem)),
                                       {factors.data(), factors.data(), problem.rank, 1.0F,
                                        problem.dora ? factors.data() : nullptr});
    Operands operands;
    operands.x = x.get();
    operands.y = y.get();
    const Handle<cl_command_queue> queue = make_queue(engine_->context(), engine_->device());
    std::optional<Weights> weights;
    std::optional<Pool> pool;  // of one adapter, which all rows have
    std::optional<Route> route;
    if (problem.adapters == 0) {
      weights.emplace(engine_->context(), problem, modules);
      weights->set(queue.get(), plan, operands);
    } else {
      pool.emplace(engine_->context(), problem, 1);
      pool->set(queue.get(), 0, modules);
      route.emplace(engine_->context(), std::max<std::int64_t>(problem.m, 1), 1);
      const std::string refused = route->assign(
          queue.get(), std::vector<std::int32_t>(static_cast<std::size_t>(problem.m)));
      if (!refused.empty()) throw std::invalid_argument(refused);
      pool->bind(queue.get(), plan, *route, operands);
    }
    built.executable->enqueue(queue.get(), operands);
    finish(queue.get());
    return to_json(Prepared{Outcome::correct, 0, 0, {}});
  }

  Built build_limited(const LaunchPlan& plan) {
    const MemoryLimit limit(build_bytes_);
    return engine_->build(state().checker->problem_case().problem, plan);
  }

  json prepare(const json& message) {
    const int id = message.at("id").get<int>();
    *current_arm_ = id;
    Checker& checker = *state().checker;
    WeightRing& ring = *state().ring;
    state().arms.erase(id);
    Built built = build_limited(plan_from_json(message.at("plan")));
    if (built.outcome != Outcome::correct) return failure(built.outcome, built.detail);
    const CheckResult checked = checker.check(*built.executable);
    if (checked.outcome != Outcome::correct) return failure(checked.outcome, checked.detail);
    Arm& arm = state().arms[id];
    arm.executable = std::move(built.executable);
    arm.ring = &ring.operands(arm.executable->plan());
    cl_command_queue queue = checker.queue();
    arm.timed.run = [&ring, &arm, queue] { ring.run(*arm.executable, *arm.ring, queue); };
    arm.timed.finish = [queue] { finish(queue); };
    arm.timed.restore = [&checker] {
      if (checker.problem_case().problem.accumulate) checker.restore_output();
    };
    arm.timed.probe_ns = probe_ns(arm.timed);
    return to_json(Prepared{Outcome::correct, arm.timed.probe_ns, checked.error_over_bound, {}});
  }

  // An arm whose run is the packing of the adapter: copy, layout and upload of both matrices.
  json prepare_pack(const json& message) {
    const int id = message.at("id").get<int>();
    *current_arm_ = id;
    Arm& arm = state().arms[id];
    Checker& checker = *state().checker;
    LaunchPlan plan;  // of packing alone
    plan.a = packing_from_json(message.at("a"));
    plan.b = packing_from_json(message.at("b"));
    arm.timed.run = checker.packing(plan);
    arm.timed.finish = arm.timed.restore = [] {};
    arm.timed.on_host = true;
    time_run_ns(arm.timed);
    arm.timed.probe_ns = time_run_ns(arm.timed);
    return to_json(Prepared{Outcome::correct, arm.timed.probe_ns, 0, {}});
  }

  json round(const json& message) {
    const Round round = round_from_json(message);
    try {
      return to_json(time_round(
          round, [this](int id) -> TimedArm& { return state().arms.at(id).timed; }, *probes_,
          *current_arm_));
    } catch (const OpenclError&) {
      return to_json(failed_round(*current_arm_, Outcome::runtime));
    }
  }

  json recheck(const json& message) {
    Arm& arm = state().arms.at(message.at("id").get<int>());
    const CheckResult checked = state().checker->check(*arm.executable);
    if (checked.outcome != Outcome::correct) return failure(checked.outcome, checked.detail);
    return to_json(Prepared{Outcome::correct, 0, checked.error_over_bound, {}});
  }

  json events(const json& message) {
    Arm& arm = state().arms.at(message.at("id").get<int>());
    return to_json(read_events(
        *engine_,
        [&](cl_command_queue queue, std::vector<cl_event>* list) {
          state().ring->run(*arm.executable, *arm.ring, queue, list);
        },
        10));
  }

  ProblemState& state() {
    if (state_ == nullptr) throw std::logic_error("no problem is selected");
    return *state_;
  }

  static json failure(Outcome outcome, const std::string& detail) {
    return to_json(Prepared{outcome, 0, 0, detail.substr(0, 4000)});
  }

  int* current_arm_;
  std::int64_t build_bytes_ = 0;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Probes> probes_;
  std::map<std::string, ProblemState> states_;  // by problem
  ProblemState* state_ = nullptr;               // of the problem selected
};

}  // namespace

Handler arms_service(WorkerShared& shared) {
  return [arms = std::make_shared<Arms>(shared)](const json& request) {
    return arms->reply_to(request);
  };
}

}  // namespace loratune
