#include "harness/base/platform_guard.h"

#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "dispatch/internal/printable.h"
#include "harness/base/failure.h"
#include "harness/base/read_file.h"

namespace loratune {
namespace {

// Lines `NUMBER REASON` of the platforms that earlier processes of this command could not ask.
constexpr const char* kVariable = "LORATUNE_PASSED_OVER";
constexpr int kSeconds = 30;  // a driver may wake up several GPUs first
constexpr std::array kFaults = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

// What a signal finds ready, since a handler may allocate nothing.
struct Ending {
  std::string line;                    // for people
  std::vector<std::string> variables;  // the environment of the next process
  std::vector<char*> environment;
};
struct Watch {
  char** argv = nullptr;
  Ending silent, ended;
  volatile std::sig_atomic_t seconds = 0;
  volatile std::sig_atomic_t on = 0;
  std::array<struct sigaction, kFaults.size()> earlier{};  // before the first guard
} g_watch;

void end(Ending& ending) {
  const itimerval off{};
  setitimer(ITIMER_REAL, &off, nullptr);
  if (g_watch.argv != nullptr && !ending.environment.empty()) {
    execve("/proc/self/exe", g_watch.argv, ending.environment.data());
  }
  [[maybe_unused]] const ssize_t wrote =
      write(STDERR_FILENO, ending.line.data(), ending.line.size());
  _exit(kExitDeviceFault);
}

// Seconds are counted and not read from a clock, so that a process that is stopped loses none.
void on_second(int) {
  g_watch.seconds = g_watch.seconds + 1;
  if (g_watch.seconds == kSeconds) end(g_watch.silent);
}

// A driver that was loaded while the guard stood by may hand its faults to this handler for ever:
// later faults are for whoever had them before the first guard.
void on_fault(int signal) {
  if (g_watch.on != 0) end(g_watch.ended);
  for (std::size_t i = 0; i < kFaults.size(); ++i) {
    if (kFaults[i] == signal) sigaction(signal, &g_watch.earlier[i], nullptr);
  }
  raise(signal);
}

void prepare(Ending& ending, const std::string& what, const std::string& how) {
  ending.line = "lora-bench: " + what + " " + how + "; OCL_ICD_VENDORS can leave its driver out\n";
}

// The environment of a process that also passes over the platform.
void prepare_next(Ending& ending, std::size_t number, const std::string& what,
                  const std::string& how) {
  const std::string name = std::string(kVariable) + "=";
  const char* before = std::getenv(kVariable);
  ending.environment.clear();
  ending.variables = {name + (before == nullptr ? "" : before + std::string("\n")) +
                      std::to_string(number) + " " + what + " is passed over: it " + how};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (std::strncmp(*variable, name.c_str(), name.size()) != 0) {
      ending.variables.emplace_back(*variable);
    }
  }
  for (std::string& variable : ending.variables) ending.environment.push_back(variable.data());
  ending.environment.push_back(nullptr);
}

constexpr const char* kSilent = "does not answer";
constexpr const char* kEnded = "ends the process that asks for its devices";

std::map<std::size_t, std::string> passed_over() {
  std::map<std::size_t, std::string> reasons;
  const char* text = std::getenv(kVariable);
  for (const std::string& line : lines_of(text == nullptr ? "" : text)) {
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (error == std::errc() && *end == ' ') reasons[number] = printable(end + 1, 300);
  }
  return reasons;
}

}  // namespace

void may_begin_anew(char** argv) { g_watch.argv = argv; }

PlatformGuard::PlatformGuard() : passed_over_(passed_over()) {
  for (Ending* ending : {&g_watch.silent, &g_watch.ended}) {
    ending->environment.clear();
    prepare(*ending, "the list of OpenCL's platforms", ending == &g_watch.ended ? kEnded : kSilent);
  }
  g_watch.seconds = 0;
  static const bool kFirst = [] {
    for (std::size_t i = 0; i < kFaults.size(); ++i) {
      sigaction(kFaults[i], nullptr, &g_watch.earlier[i]);
    }
    return true;
  }();
  static_cast<void>(kFirst);
  g_watch.on = 1;
  take_signals();
  const itimerval each_second = {{1, 0}, {1, 0}};
  setitimer(ITIMER_REAL, &each_second, nullptr);
}

void PlatformGuard::take_signals() {
  struct sigaction action {};
  action.sa_flags = SA_RESTART | SA_NODEFER;  // the next process inherits what is blocked
  const auto take = [&](int signal, void (*handler)(int)) {
    action.sa_handler = handler;
    struct sigaction before {};
    sigaction(signal, &action, &before);
    if (before.sa_handler != handler) actions_[signal] = before;
  };
  for (const int fault : kFaults) take(fault, on_fault);
  take(SIGALRM, on_second);
}

PlatformGuard::~PlatformGuard() {
  const itimerval off{};
  setitimer(ITIMER_REAL, &off, nullptr);
  g_watch.on = 0;
  for (const auto& [signal, before] : actions_) sigaction(signal, &before, nullptr);
}

std::string PlatformGuard::before(std::size_t number, const std::string& name) {
  if (const auto found = passed_over_.find(number); found != passed_over_.end()) {
    return found->second;
  }
  const std::string what = "platform " + (name.empty() ? "number " + std::to_string(number) : name);
  for (Ending* ending : {&g_watch.silent, &g_watch.ended}) {
    const char* how = ending == &g_watch.ended ? kEnded : kSilent;
    prepare(*ending, what, how);
    prepare_next(*ending, number, what, how);
  }
  take_signals();  // once more, since drivers take them too while they are loaded
  g_watch.seconds = 0;
  return {};
}

}  // namespace loratune
