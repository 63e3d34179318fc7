#include "harness/fleet/sweep.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "dispatch/internal/printable.h"
#include "harness/base/device_lock.h"
#include "harness/base/failure.h"
#include "harness/sweep/sweep.h"

namespace loratune {

using nlohmann::json;

std::optional<JournalContent> journal_there(const std::string& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  try {
    JournalContent content = read_journal(path);
    if (!content.header.is_null()) return content;
  } catch (const Failure&) {  // its header is damaged
  }
  return std::nullopt;
}

PortionSweep open_portion(const Fleet& fleet, std::size_t portion, double budget_s) {
  const std::string path = fleet.journal(portion);
  if (!journal_there(path)) {
    const SweepSetup setup = fleet.setup_of(portion, budget_s);
    return {setup, Journal::create(path, make_header(setup))};
  }
  Journal journal = Journal::resume(path);
  SweepSetup setup = fleet.setup_of(portion, journal.header().value("budget_s", budget_s));
  setup.device = as_begun(setup.device, journal.header());
  journal.begin(make_header(setup));
  return {setup, std::move(journal)};
}

namespace {

int sweep_portion(const Fleet& fleet, std::size_t portion, double budget_s) {
  const DeviceLock lock(fleet.place, fleet.options.lock_wait_s);
  PortionSweep opened = open_portion(fleet, portion, budget_s);
  Worker worker(fleet.options.device);
  BuildAhead ahead(fleet.options.device, fleet.options.builders);
  Sweep sweep(
      opened.setup.options, opened.setup.device, opened.journal, &worker, &ahead,
      [] { return false; }, [](const SweepProgress&) {});
  return sweep.run() ? kExitGood : kExitDeviceFault;
}

}  // namespace

pid_t start_sweep(const Fleet& fleet, int rank, std::size_t portion, double budget_s) {
  const pid_t parent = getpid();
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) {
    std::fprintf(stderr, "lora-bench: rank %d: no process for a sweep: %s\n", rank,
                 std::strerror(errno));
  }
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kExitUsage);
  int code = kExitUsage;
  try {
    code = sweep_portion(fleet, portion, budget_s);
  } catch (const Failure& failure) {
    std::fprintf(stderr, "lora-bench: rank %d: %s\n", rank, failure.what());
    code = failure.code();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lora-bench: rank %d: %s\n", rank, printable_line(error.what()).c_str());
  }
  std::fflush(nullptr);
  _exit(code);
}

}  // namespace loratune
