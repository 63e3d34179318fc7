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

constexpr double kCanaryNs = 200e3;
constexpr int kLongestSpin = 1 << 24;
constexpr int kLooks = 8;  // a machine that is busy for some of them still tells a length too short

// No launch ends so soon; rusticl answers 0, 1, 2, 3 where it has no clock.
constexpr std::uint64_t kShortestCommandNs = 20;

}  // namespace

int block_runs(double run_ns) {
  const auto wanted = static_cast<int>(std::clamp(1e6 / run_ns, 1.0, 32.0));
  return run_ns < 1e6 ? std::max(wanted, 8) : wanted;
}

double time_block_ns(int runs, const std::function<void()>& run,
                     const std::function<void()>& finish) {
  const double begin = seconds_now();
  for (int i = 0; i < runs; ++i) run();
  finish();
  return (seconds_now() - begin) * 1e9 / runs;
}

double time_block_ns(const cl::CommandQueue& queue, int runs,
                     const std::function<void()>& enqueue) {
  return time_block_ns(runs, enqueue, [&] { queue.finish(); });
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
    : queue_(engine.make_queue()),
      sink_(engine.context(), CL_MEM_READ_WRITE, 1U << 16U),
      items_(static_cast<std::size_t>(engine.info().compute_units) * 64) {
  cl::Program program(engine.context(), kProbeSource);
  program.build(engine.device());
  empty_ = cl::Kernel(program, "empty");
  spin_ = cl::Kernel(program, "spin");
  items_ = std::min<std::size_t>(items_, (1U << 16U) / sizeof(float));
  empty_.setArg(0, sink_);
  spin_.setArg(0, sink_);
  spin_.setArg(1, 1);
  canary_ns();  // the first launch builds
  const int length = spin_length(kCanaryNs, [&](int candidate) {
    spin_.setArg(1, candidate);
    return canary_ns();
  });
  spin_.setArg(1, length);
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

void Probes::launch_empty() {
  queue_.enqueueNDRangeKernel(empty_, cl::NullRange, cl::NDRange(64), cl::NDRange(64));
}

void Probes::finish() { queue_.finish(); }

double Probes::launch_floor_ns() {
  std::vector<double> blocks;
  launch_empty();
  finish();
  for (int i = 0; i < 20; ++i) {
    blocks.push_back(time_block_ns(queue_, 32, [&] { launch_empty(); }));
  }
  return median(blocks);
}

double Probes::canary_ns() {
  return time_block_ns(queue_, 1, [&] {
    queue_.enqueueNDRangeKernel(spin_, cl::NullRange, cl::NDRange(items_), cl::NDRange(64));
  });
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
    Engine& engine,
    const std::function<void(const cl::CommandQueue&, std::vector<cl::Event>*)>& enqueue,
    int runs) {
  const cl::CommandQueue queue = engine.make_queue(true);
  std::vector<double> spans;
  for (int run = 0; run < runs; ++run) {
    std::vector<cl::Event> events;
    const double begin = seconds_now();
    enqueue(queue, &events);
    queue.finish();
    const double wall = (seconds_now() - begin) * 1e9;
    std::vector<EventTimes> times;
    for (const cl::Event& event : events) {
      times.push_back({event.getProfilingInfo<CL_PROFILING_COMMAND_QUEUED>(),
                       event.getProfilingInfo<CL_PROFILING_COMMAND_SUBMIT>(),
                       event.getProfilingInfo<CL_PROFILING_COMMAND_START>(),
                       event.getProfilingInfo<CL_PROFILING_COMMAND_END>()});
    }
    std::string fault = event_clock_fault(times, wall);
    if (!fault.empty()) return {0, std::move(fault)};
    spans.push_back(static_cast<double>(times.back().end - times.front().start));
  }
  return {median(spans), {}};
}

}  // namespace loratune
