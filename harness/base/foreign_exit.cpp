#include "harness/base/foreign_exit.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "harness/base/failure.h"

namespace loratune {
namespace {

bool g_expected = true;

void on_exit() {
  if (g_expected) return;
  std::fprintf(stderr,
               "lora-bench: a driver, or another library, called exit(): what was asked for is not "
               "done\n");
  std::fflush(nullptr);
  _exit(kExitDeviceFault);
}

}  // namespace

void refuse_exit() {
  g_expected = false;
  std::atexit(on_exit);
}

void expect_exit() { g_expected = true; }

}  // namespace loratune
