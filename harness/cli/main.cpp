#include <sched.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>

#include "dispatch/internal/printable.h"
#include "harness/adapter/modes.h"
#include "harness/base/failure.h"
#include "harness/base/foreign_exit.h"
#include "harness/base/interrupt.h"
#include "harness/base/lost_output.h"
#include "harness/base/options.h"
#include "harness/base/platform_guard.h"
#include "harness/bench/bench_service.h"
#include "harness/bench/modes.h"
#include "harness/check/cases_service.h"
#include "harness/check/modes.h"
#include "harness/cli/modes.h"
#include "harness/cli/parse.h"
#include "harness/emit/modes.h"
#include "harness/fleet/modes.h"
#include "harness/gate/modes.h"
#include "harness/record/modes.h"
#include "harness/report/modes.h"
#include "harness/sweep/modes.h"
#include "harness/worker/arms_service.h"
#include "loratune/engine/device.h"

namespace {

// Makes PoCL, here and in the workers, pin one thread to each core. Threads that are not pinned
// share a core for seconds at a time, and a kernel then takes up to 1.7 times as long. The gate's
// threads stay free, because a gate must do on busy machines: a pinned thread waits for whatever
// else runs on its core. A variable that the user set is left alone. PoCL ends the process where a
// core is not allowed, so threads are pinned only where every core is.
void pin_pocl_threads(loratune::Command command) {
  using loratune::Command;
  if (command != Command::sweep && command != Command::record && command != Command::bench &&
      command != Command::verify) {
    return;
  }
  cpu_set_t allowed;
  const bool all = sched_getaffinity(0, sizeof allowed, &allowed) == 0 &&
                   CPU_COUNT(&allowed) == sysconf(_SC_NPROCESSORS_CONF);
  if (all) setenv("POCL_AFFINITY", "1", 0);
}

int run(int argc, char** argv) {
  using namespace loratune;
  Options options = parse_command_line(argc, argv);
  // How a worker ends is for its parent to judge.
  if (options.command != Command::worker) refuse_exit();
  if (options.command != Command::worker && !under_mpi()) may_begin_anew(argv);
  pin_pocl_threads(options.command);
  if (const char* path = std::getenv("GITHUB_STEP_SUMMARY")) options.gate.step_summary = path;
  switch (options.command) {
    case Command::list:
      return list_mode(options);
    case Command::list_adapter:
      return list_adapter_mode(options);
    case Command::check:
      return check_mode(options);
    case Command::sweep:
      return under_mpi() ? fleet_mode(options) : sweep_mode(options);
    case Command::replay_sweep:
      return sweep_mode(options);
    case Command::record:
      return record_mode(options);
    case Command::simulate:
      return simulate_mode(options);
    case Command::bench:
      return bench_mode(options);
    case Command::verify:
      return verify_mode(options);
    case Command::pick:
      return pick_mode(options);
    case Command::forward:
      return forward_mode(options);
    case Command::convert:
      return convert_mode(options);
    case Command::merge:
      return merge_mode(options);
    case Command::export_plans:
      return export_plans_mode(options);
    case Command::emit:
      return emit_mode(options);
    case Command::gate:
    case Command::replay_gate:
      return gate_mode(options);
    case Command::report:
      return report_mode(options);
    case Command::worker:
      return serve({{kArmsService, arms_service},
                    {kBenchService, bench_service},
                    {kCasesService, cases_service}});
    case Command::help:
      std::printf("%s", options.help.c_str());
      return kExitGood;
  }
  return kExitUsage;
}

// Runs the mode that was asked for; a failure becomes one line and its exit code.
int run_or_complain(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const loratune::Failure& failure) {
    std::fprintf(stderr, "lora-bench: %s\n", failure.what());
    return failure.code();
  } catch (const loratune::Interrupted&) {
    return loratune::kExitInterrupted;
  } catch (const loratune::OpenclError& error) {
    std::fprintf(stderr, "lora-bench: %s\n", loratune::printable_line(error.what()).c_str());
    return loratune::kExitDeviceFault;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "lora-bench: there is too little memory for what was asked for\n");
    return loratune::kExitUsage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lora-bench: %s\n", loratune::printable_line(error.what()).c_str());
    return loratune::kExitUsage;
  }
}

}  // namespace

int main(int argc, char** argv) {
  // A write beyond the limit on a file's size then fails, as on a full disk, and is told in a line.
  std::signal(SIGXFSZ, SIG_IGN);
  loratune::hold_closed_streams();
  const auto code = static_cast<loratune::ExitCode>(run_or_complain(argc, argv));
  loratune::expect_exit();
  const std::string lost = loratune::lost_output();
  if (lost.empty()) return code;
  std::fprintf(stderr, "lora-bench: %s\n", lost.c_str());
  return loratune::worse(code, loratune::kExitUsage);
}
