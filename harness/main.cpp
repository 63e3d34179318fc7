#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>

#include "dispatch/device.h"
#include "harness/modes.h"

namespace {

int run(int argc, char** argv) {
  using namespace loratune;
  Options options = parse_command_line(argc, argv);
  if (const char* path = std::getenv("GITHUB_STEP_SUMMARY")) options.gate.step_summary = path;
  switch (options.command) {
    case Command::list:
      return list_mode(options);
    case Command::check:
      return check_mode(options);
    case Command::sweep:
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
    case Command::merge:
      return merge_mode(options);
    case Command::export_plans:
      return export_plans_mode(options);
    case Command::gate:
      return gate_mode(options);
    case Command::worker:
      return worker_mode();
    case Command::help:
      std::printf("%s", options.help.c_str());
      return kExitGood;
  }
  return kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const loratune::Failure& failure) {
    std::fprintf(stderr, "lora-bench: %s\n", failure.what());
    return failure.code();
  } catch (const cl::Error& error) {
    std::fprintf(stderr, "lora-bench: %s\n", loratune::describe(error).c_str());
    return loratune::kExitDeviceFault;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lora-bench: %s\n", error.what());
    return loratune::kExitUsage;
  }
}
