#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>

#include "dispatch/internal/printable.h"
#include "harness/base/clock.h"
#include "harness/base/device_lock.h"
#include "harness/base/failure.h"
#include "harness/base/interrupt.h"
#include "harness/base/options.h"
#include "harness/base/output_files.h"
#include "harness/base/selection.h"
#include "harness/sweep/modes.h"
#include "harness/sweep/output.h"
#include "harness/sweep/replay.h"
#include "harness/sweep/report.h"

namespace loratune {
namespace {

// What a journal holds, decided again without a device.
SweepResult replay(const Options& options) {
  const JournalContent content = journal_to_replay(options.replay);
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
               printable_line(display_name(setup.device)).c_str(), setup.options.problems.size(),
               setup.options.variants.size(), setup.options.budget_s,
               printable_line(options.journal).c_str());
  const std::string note = budget_note(setup.options);
  if (!note.empty()) std::fprintf(stderr, "%s\n", note.c_str());
  tell_limit(setup.device);
  ProgressDisplay display(stderr, terminal_of(STDERR_FILENO));
  Sweep sweep(setup.options, setup.device, *journal, live.worker.get(), &ahead, interrupted,
              [&](const SweepProgress& progress) { display.show(progress, seconds_now()); });
  const bool whole = sweep.run();
  return {setup, sweep.decided(), sweep.quarantine(), whole};
}

}  // namespace

int sweep_mode(const Options& options) {
  const bool replaying = !options.replay.empty();
  const NamedFile journal =
      replaying ? NamedFile{"--replay", options.replay} : NamedFile{"--journal", options.journal};
  require_apart({"--out", options.out}, {journal});
  require_writable(options.out);
  if (!options.forget.empty()) {
    const std::optional<TunedFile> earlier = earlier_file(options.out);
    require_known(options.forget, {earlier ? &*earlier : nullptr, earlier ? 1U : 0U});
  }
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
