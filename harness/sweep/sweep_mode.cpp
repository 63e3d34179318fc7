#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>

#include "harness/base/device_lock.h"
#include "harness/base/failure.h"
#include "harness/base/options.h"
#include "harness/base/selection.h"
#include "harness/sweep/modes.h"
#include "harness/sweep/replayed.h"
#include "harness/sweep/report.h"

namespace loratune {
namespace {

using nlohmann::json;

volatile std::sig_atomic_t g_interrupted_s = 0;  // when first, on the monotonic clock; 0: not yet

// The second time it ends at once: the journal holds all but the running round. But timeout(1) and
// schedulers signal the process and then its group, and that is once.
void on_interrupt(int) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto now_s = static_cast<std::sig_atomic_t>(now.tv_sec + 1);
  if (g_interrupted_s == 0) g_interrupted_s = now_s;
  if (now_s - g_interrupted_s >= 2) _exit(kExitInterrupted);
}

void show_progress(const SweepProgress& progress) {
  static std::size_t shown = static_cast<std::size_t>(-1);
  const auto minutes = [](double s) { return static_cast<int>(s) / 60; };
  const auto seconds = [](double s) { return static_cast<int>(s) % 60; };
  if (isatty(STDERR_FILENO) != 0) {
    constexpr int kWidth = 24;
    const int full =
        static_cast<int>(progress.decided * kWidth / std::max<std::size_t>(progress.problems, 1));
    std::string bar(static_cast<std::size_t>(full), '#');
    bar.resize(kWidth, '.');
    std::fprintf(stderr, "\r[%s] %zu/%zu, at most %d:%02d left, %.60s\033[K", bar.c_str(),
                 progress.decided, progress.problems, minutes(progress.left_s),
                 seconds(progress.left_s), progress.doing.c_str());
  } else if (progress.decided != shown) {
    shown = progress.decided;
    std::fprintf(stderr, "%zu of %zu problems after %d:%02d\n", progress.decided, progress.problems,
                 minutes(progress.elapsed_s), seconds(progress.elapsed_s));
  }
}

}  // namespace

int sweep_mode(const Options& options) {
  const bool replaying = !options.replay.empty();
  require_writable(options.out);
  RecordedSweep swept;
  std::optional<DeviceLock> lock;
  std::unique_ptr<Worker> worker;
  if (replaying) {
    const JournalContent content = read_journal(options.replay);
    if (content.header.is_null())
      throw Failure(kExitUsage, "journal '" + options.replay + "' is empty");
    swept = std::move(replay_journals({&content, 1}).front());
  } else {
    swept.setup = setup_from(options);
    const SweepSetup& setup = swept.setup;
    lock.emplace(device_place(select_device(options.device)), options.lock_wait_s);
    const json header = make_header(setup);
    Journal journal = options.resume ? Journal::resume(options.journal, header)
                                     : Journal::create(options.journal, header);
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGTERM, on_interrupt);
    worker = std::make_unique<Worker>(options.device);
    BuildAhead ahead(options.device, options.builders);
    std::fprintf(stderr, "%s: %zu problems, %zu variants, budget %.0f s\njournal: %s\n",
                 display_name(setup.device).c_str(), setup.options.problems.size(),
                 setup.options.variants.size(), setup.options.budget_s, options.journal.c_str());
    Sweep sweep(
        setup.options, plan_sweep(setup.options, setup.device), setup.device, journal, worker.get(),
        &ahead, [] { return g_interrupted_s != 0; }, show_progress);
    swept.whole = sweep.run();
    swept.decided = sweep.decided();
    swept.quarantine = sweep.quarantine();
    if (isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r\033[K");
  }

  const ExitCode code = finish_sweep(options, swept, worker.get());
  if (g_interrupted_s != 0) return kExitInterrupted;
  if (code == kExitGood && !swept.whole) {
    std::fprintf(stderr, "the journal ends before the sweep does: --resume goes on with it\n");
  }
  return code;
}

}  // namespace loratune
