#include "harness/timing/measure.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <stdexcept>

#include "harness/base/clock.h"
#include "tuner/statistics.h"

namespace loratune {
namespace {

constexpr const char* kProbeSource = R"CL(
kernel void empty(global float* sink) {}

kernel void spin(global float* sink, int length) {
  float value = (float)get_global_id(0) * 1e-9f + 1.0f;
  for (int i = 0; i < length; ++i) value = value * 0.999f + 0.001f;
  if (value < 0.0f) sink[get_global_id(0)] = value;
}
)CL";

constexpr double kCanaryNs = 100e3;
constexpr int kLongestSpin = 1 << 24;
constexpr int kLooks = 8;  // a machine that is busy for some of them still tells a length too short

// No launch ends so soon; rusticl answers 0, 1, 2, 3 where it has no clock.
constexpr std::uint64_t kShortestCommandNs = 20;

double host_spin_ns(int length) {
  volatile float sink = 0;
  return time_block_ns(
      1,
      [&] {
        float value = sink + 1.0F;
        for (int i = 0; i < length; ++i) value = value * 0.999F + 0.001F;
        sink = value;
      },
      [] {});
}

EventTimes times_of(cl_event event) {
  const auto time = [&](cl_profiling_info what) {
    cl_ulong ns = 0;
    require_success(clGetEventProfilingInfo(event, what, sizeof(ns), &ns, nullptr),
                    "clGetEventProfilingInfo");
    return ns;
  };
  return {time(CL_PROFILING_COMMAND_QUEUED), time(CL_PROFILING_COMMAND_SUBMIT),
          time(CL_PROFILING_COMMAND_START), time(CL_PROFILING_COMMAND_END)};
}

}  // namespace

int runs_of_a_millisecond(double run_ns) {
  return static_cast<int>(std::clamp(1e6 / run_ns, 1.0, 32.0));
}

int block_runs(double run_ns) {
  const int wanted = runs_of_a_millisecond(run_ns);
  return run_ns < 1e6 ? std::max(wanted, 8) : wanted;
}

double time_block_ns(int runs, const std::function<void()>& run,
                     const std::function<void()>& finish) {
  const double begin = seconds_now();
  for (int i = 0; i < runs; ++i) run();
  finish();
  return (seconds_now() - begin) * 1e9 / runs;
}

double time_block_ns(cl_command_queue queue, int runs, const std::function<void()>& enqueue) {
  return time_block_ns(runs, enqueue, [&] { loratune::finish(queue); });
}

std::uint64_t steal_ticks() {
  std::ifstream stat("/proc/stat");
  std::string cpu;
  std::uint64_t field = 0;
  stat >> cpu;
  for (int i = 0; i < 8 && stat >> field; ++i) {  // user nice system idle iowait irq softirq steal
  }
  return stat ? field : 0;
}

Probes::Probes(Engine& engine)
    : queue_(make_queue(engine.context(), engine.device())),
      sink_(make_buffer(engine.context(), 1U << 16U)),
      items_(static_cast<std::size_t>(engine.info().compute_units) * 64) {
  const Handle<cl_program> program = make_program(engine.context(), kProbeSource);
  build_program(program.get(), engine.device());
  empty_ = make_kernel(program.get(), "empty");
  spin_ = make_kernel(program.get(), "spin");
  items_ = std::min<std::size_t>(items_, (1U << 16U) / sizeof(float));
  set_argument(empty_.get(), 0, sink_.get());
  set_argument(spin_.get(), 0, sink_.get());
  set_argument(spin_.get(), 1, 1);
  canary_ns();  // the first launch builds
  const int length = spin_length(kCanaryNs, [&](int candidate) {
    set_argument(spin_.get(), 1, candidate);
    return canary_ns();
  });
  set_argument(spin_.get(), 1, length);
  host_length_ = spin_length(kCanaryNs, host_spin_ns);
}

int spin_length(double ns, const std::function<double(int length)>& time_ns) {
  for (int length = 256; length <= kLongestSpin; length *= 2) {
    const auto long_enough = [&] { return time_ns(length) >= ns; };
    int looks = 0;
    while (looks < kLooks && long_enough()) ++looks;
    if (looks == kLooks) return length;
  }
  throw std::runtime_error("the canary takes no time: the device does not run its loop");
}

void Probes::launch_empty() { launch(queue_.get(), empty_.get(), 64, 64); }

void Probes::finish() { loratune::finish(queue_.get()); }

double Probes::launch_floor_ns() {
  std::vector<double> blocks;
  launch_empty();
  finish();
  for (int i = 0; i < 20; ++i) {
    blocks.push_back(time_block_ns(queue_.get(), 32, [&] { launch_empty(); }));
  }
  return median(blocks);
}

double Probes::host_canary_ns() const { return host_spin_ns(host_length_); }

double Probes::canary_ns() {
  const auto once = [&] { launch(queue_.get(), spin_.get(), items_, 64); };
  time_block_ns(queue_.get(), 1, once);  // a device that the host kept idle has to wake up first
  return time_block_ns(queue_.get(), 1, once);
}

std::string event_clock_fault(const std::vector<EventTimes>& commands, double wall_ns) {
  double sum = 0;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const EventTimes& t = commands[i];
    if (t.queued > t.submitted || t.submitted > t.start)
      return "a command starts before it is queued";
    if (t.start >= t.end) return "a command takes no time";
    if (t.end - t.start < kShortestCommandNs) return "the clock counts, it does not tell time";
    if (i > 0 && t.start < commands[i - 1].end) return "commands of an in-order queue overlap";
    sum += static_cast<double>(t.end - t.start);
  }
  if (commands.empty()) return "no command was profiled";
  if (sum > wall_ns) return "the commands take longer than the wall clock shows";
  return {};
}

EventReading read_events(
    Engine& engine, const std::function<void(cl_command_queue, std::vector<cl_event>*)>& enqueue,
    int runs) {
  const Handle<cl_command_queue> queue = make_queue(engine.context(), engine.device(), true);
  std::vector<double> spans;
  for (int run = 0; run < runs; ++run) {
    std::vector<cl_event> events;
    const double begin = seconds_now();
    enqueue(queue.get(), &events);
    const std::vector<Handle<cl_event>> owned(events.begin(), events.end());
    finish(queue.get());
    const double wall = (seconds_now() - begin) * 1e9;
    std::vector<EventTimes> times;
    for (const Handle<cl_event>& event : owned) times.push_back(times_of(event.get()));
    std::string fault = event_clock_fault(times, wall);
    if (!fault.empty()) return {0, std::move(fault)};
    spans.push_back(static_cast<double>(times.back().end - times.front().start));
  }
  return {median(spans), {}};
}

}  // namespace loratune
