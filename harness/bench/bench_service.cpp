#include "harness/bench/bench_service.h"

#include <memory>
#include <new>

#include "engine/internal/opencl.h"
#include "harness/base/selection.h"
#include "harness/bench/arm_set.h"
#include "harness/bench/bench_json.h"
#include "harness/bench/judge.h"
#include "tuner/random.h"

namespace loratune {
namespace {

using nlohmann::json;

bool is_out_of_memory(cl_int error) {
  return error == CL_MEM_OBJECT_ALLOCATION_FAILURE || error == CL_OUT_OF_HOST_MEMORY ||
         error == CL_OUT_OF_RESOURCES || error == CL_INVALID_BUFFER_SIZE;
}

class Bench {
 public:
  Bench(const Device& device, WorkerShared& shared)
      : shared_(shared), engine_(device), probes_(engine_), judge_(engine_, probes_) {}

  json opened() const {
    return {{"device", display_name(engine_.info())}, {"ceilings", to_json(judge_.ceilings())}};
  }

  ArmsReport measure_if_it_fits(const ArmsOrder& order) {
    ArmsReport report;
    try {
      report = measure(order);
    } catch (const std::bad_alloc&) {
      report.outcome = Outcome::skipped;
      report.detail = "there is too little memory for it";
    } catch (const OpenclError& error) {
      if (!is_out_of_memory(error.code())) throw;
      report.outcome = Outcome::skipped;
      report.detail = "the device has too little memory for it: " + std::string(error.what());
    }
    report.ceilings = judge_.ceilings();
    return report;
  }

 private:
  ArmsReport measure(const ArmsOrder& order) {
    ArmSet set(engine_, probes_, order.problem, order.seed, order.cache, order.arms, shared_);
    set.check();
    set.probe();
    const std::uint64_t seed = seed_of(to_string(order.problem), order.seed);
    ArmRounds timed =
        time_arms(set.arms(), probes_,
                  {order.rounds, order.share_s, judge_.ceilings().floor_ns, seed}, shared_);
    set.check();  // again after the timing: a kernel may be wrong only now and then
    ArmsReport report;
    for (std::size_t i = 0; i < order.arms.size(); ++i) {
      BenchArm& arm = set.arms()[i];
      RivalResult& result = report.arms.emplace_back();
      result.label = arm.label;
      shared_.current_arm = static_cast<int>(i);
      ++shared_.steps;
      judge_.judge(order.problem, arm, static_cast<int>(i), timed.samples, result);
    }
    report.rounds = std::move(timed.rounds);
    report.void_rounds = timed.void_rounds;
    return report;
  }

  WorkerShared& shared_;
  Engine engine_;
  Probes probes_;
  Judge judge_;
};

}  // namespace

Handler bench_service(WorkerShared& shared) {
  return [&shared, bench = std::shared_ptr<Bench>()](const json& request) mutable -> json {
    if (!bench) {
      bench =
          std::make_shared<Bench>(select_device(request.at("device").get<std::string>()), shared);
      return bench->opened();
    }
    return to_json(bench->measure_if_it_fits(arms_order_from_json(request.at("order"))));
  };
}

}  // namespace loratune
