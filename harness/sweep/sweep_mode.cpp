#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "harness/base/device_lock.h"
#include "harness/base/failure.h"
#include "harness/base/interrupt.h"
#include "harness/base/options.h"
#include "harness/base/selection.h"
#include "harness/sweep/modes.h"
#include "harness/sweep/replay.h"
#include "harness/sweep/report.h"

namespace loratune {
namespace {

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

// What a journal holds, decided again without a device.
SweepResult replay(const Options& options) {
  const JournalContent content = read_journal(options.replay);
  if (content.header.is_null()) {
    throw Failure(kExitUsage, "journal '" + options.replay + "' is empty");
  }
  if (!content.damage.empty()) std::fprintf(stderr, "%s\n", content.damage.c_str());
  return std::move(replay_journals({&content, 1}).front());
}

// What a live sweep holds on to until its ceilings are measured too.
struct Live {
  std::optional<DeviceLock> lock;
  std::unique_ptr<Worker> worker;
};

// The journal is opened first, so that what it began with is known, then the setup is made, once.
SweepResult sweep(const Options& options, Live& live) {
  std::optional<Journal> journal;
  if (options.resume) {
    journal.emplace(Journal::resume(options.journal));
    if (!journal->damage().empty()) std::fprintf(stderr, "%s\n", journal->damage().c_str());
  }
  const SweepSetup setup = setup_from(options, journal ? journal->header() : nlohmann::json());
  live.lock.emplace(device_place(select_device(options.device)), options.lock_wait_s);
  const nlohmann::json header = make_header(setup);
  if (journal) {
    journal->begin(header);
  } else {
    journal.emplace(Journal::create(options.journal, header));
  }
  note_interrupts();
  live.worker = std::make_unique<Worker>(options.device);
  live.worker->interrupt_when(interrupted);
  BuildAhead ahead(options.device, options.builders);
  ahead.interrupt_when(interrupted);
  std::fprintf(stderr, "%s: %zu problems, %zu variants, budget %.0f s\njournal: %s\n",
               display_name(setup.device).c_str(), setup.options.problems.size(),
               setup.options.variants.size(), setup.options.budget_s, options.journal.c_str());
  const std::string note = budget_note(setup.options);
  if (!note.empty()) std::fprintf(stderr, "%s\n", note.c_str());
  tell_limit(setup.device);
  Sweep sweep(setup.options, setup.device, *journal, live.worker.get(), &ahead, interrupted,
              show_progress);
  const bool whole = sweep.run();
  if (isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r\033[K");
  return {setup, sweep.decided(), sweep.quarantine(), whole};
}

}  // namespace

int sweep_mode(const Options& options) {
  const bool replaying = !options.replay.empty();
  if (!replaying && std::filesystem::weakly_canonical(options.out) ==
                        std::filesystem::weakly_canonical(options.journal)) {
    throw Failure(kExitUsage, "--out and --journal name the same file, '" + options.out + "'");
  }
  require_writable(options.out);
  Live live;
  const SweepResult result = replaying ? replay(options) : sweep(options, live);
  // Who interrupts does not want to wait for the ceilings.
  const ExitCode code = finish_sweep(options, result, interrupted() ? nullptr : live.worker.get());
  if (interrupted()) return kExitInterrupted;
  if (code == kExitGood && !result.whole) {
    std::fprintf(stderr, "the journal ends before the sweep does: --resume goes on with it\n");
  }
  return code;
}

}  // namespace loratune
