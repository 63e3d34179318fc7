#include "harness/process/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>

#include "harness/base/clock.h"
#include "harness/base/failure.h"
#include "harness/base/interrupt.h"

namespace loratune {
namespace {

using nlohmann::json;

constexpr double kSlice = 0.1;  // seconds that one wait for the process lasts
constexpr double kLook = 1;     // seconds between looks at what kept it from the processor

// Whether the process is stopped, by SIGSTOP or a debugger: it is not to blame for its silence
// then.
bool is_stopped(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string stat{std::istreambuf_iterator<char>(file), {}};
  const std::size_t name_end = stat.rfind(')');  // the name itself may hold anything
  return name_end != std::string::npos && name_end + 2 < stat.size() &&
         (stat[name_end + 2] == 'T' || stat[name_end + 2] == 't');
}

// A descriptor that the child's own, up to kWorkerSharedFd, cannot overwrite before it is copied
// there. Takes over `fd`; -1 on failure.
int out_of_the_way(int fd) {
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, kWorkerSharedFd + 1);
  const int error = errno;
  close(fd);
  errno = error;
  return moved;
}

}  // namespace

WorkerProcess::WorkerProcess(std::string executable) : executable_(std::move(executable)) {
  std::signal(SIGPIPE, SIG_IGN);  // a process that died shows as a failed write
}

WorkerProcess::~WorkerProcess() {
  end();
  if (shared_ != nullptr) munmap(shared_, sizeof(WorkerShared));
}

void WorkerProcess::end() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  for (int* fd : {&to_worker_, &from_worker_}) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
  }
  pid_ = -1;
  pending_.clear();
}

bool WorkerProcess::alive() {
  if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) {
    pid_ = -1;
    end();
  }
  return pid_ > 0;
}

void WorkerProcess::start() {
  const auto fail = [](const std::string& what) {
    throw Failure(kExitDeviceFault, what + ": " + std::strerror(errno));
  };
  // Each end is closed by end(), or below, however this goes on.
  int requests[2] = {-1, -1};
  int replies[2] = {-1, -1};
  int shared = memfd_create("lora-bench-worker", MFD_CLOEXEC);
  bool made = shared >= 0 && ftruncate(shared, sizeof(WorkerShared)) == 0 &&
              pipe2(requests, O_CLOEXEC) == 0 && pipe2(replies, O_CLOEXEC) == 0;
  for (int* fd : {&shared, &requests[0], &replies[1]}) {
    if (*fd >= 0) *fd = out_of_the_way(*fd);
    made = made && *fd >= 0;
  }
  to_worker_ = requests[1];
  from_worker_ = replies[0];
  const auto close_childs = [&] {
    for (const int fd : {shared, requests[0], replies[1]}) {
      if (fd >= 0) close(fd);
    }
  };
  if (shared_ != nullptr) munmap(shared_, sizeof(WorkerShared));
  shared_ = nullptr;
  void* mapped =
      made ? mmap(nullptr, sizeof(WorkerShared), PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0)
           : MAP_FAILED;
  if (mapped == MAP_FAILED) {
    const int error = errno;
    close_childs();
    end();
    errno = error;
    fail("cannot make a worker process");
  }
  shared_ = static_cast<WorkerShared*>(mapped);
  *shared_ = {0, kNoArm, 0, getpid()};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, requests[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, replies[1], kWorkerReplyFd);
  posix_spawn_file_actions_adddup2(&actions, shared, kWorkerSharedFd);
  std::string name = "lora-bench";
  std::string flag = "--worker";
  char* argv[] = {name.data(), flag.data(), nullptr};
  const int error = posix_spawn(&pid_, executable_.c_str(), &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close_childs();
  if (error == 0) return;
  pid_ = -1;
  end();
  errno = error;
  fail("cannot start a worker process");
}

Exchange WorkerProcess::lost(Exchange::Status status, std::string detail) {
  end();
  return {status, {}, std::move(detail)};
}

// Where the process is gone, receive() says so.
void WorkerProcess::send(const json& message, double deadline_s) {
  allowed_s_ = deadline_s;
  begin_step();
  const std::string text = message.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t wrote = write(to_worker_, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return;
    done += static_cast<std::size_t>(wrote);
  }
}

void WorkerProcess::begin_step() {
  steps_ = shared_->steps;
  looked_ = seconds_now();
  times_ = thread_times(pid_);
  deadline_ = looked_ + allowed_s_;
}

// Whether the process has ended, though nobody asked yet how.
bool WorkerProcess::has_ended() const {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid_;
}

// Adds to the deadline what others kept the process from the processor since the last look.
void WorkerProcess::look_again(double now) {
  const std::map<std::string, ThreadTimes> times = thread_times(pid_);
  deadline_ += kept_waiting(times_, times, now - looked_);
  times_ = times;
  looked_ = now;
}

Exchange WorkerProcess::receive() {
  for (double before = seconds_now();;) {
    const std::size_t newline = pending_.find('\n');
    if (newline != std::string::npos) {
      const std::string line = pending_.substr(0, newline);
      pending_.erase(0, newline + 1);
      json reply = json::parse(line, nullptr, false);
      if (!reply.is_object())
        return lost(Exchange::Status::crashed, "the worker process replied with nonsense");
      return {Exchange::Status::ok, std::move(reply), {}};
    }
    if (interrupted_()) {
      end();
      throw Interrupted{};
    }
    // Time in which this process or that one did not run at all, stopped or suspended, does not
    // count. Nor does what a busy machine kept it waiting: a sound build is not late then, and one
    // that sleeps or computes without end is found all the same.
    if (shared_->steps != steps_) begin_step();
    const double now = seconds_now();
    if (now - before > 10 * kSlice || is_stopped(pid_)) {
      deadline_ += now - before;
      looked_ += now - before;
    }
    before = now;
    if (now >= looked_ + kLook || now >= deadline_) look_again(now);
    const double left = deadline_ - now;
    if (left <= 0) {
      return lost(Exchange::Status::timed_out,
                  "no end within " + std::to_string(allowed_s_) + " s; killed");
    }
    // A process that its driver forked keeps the pipe open behind the end of this one.
    const bool ended = has_ended();
    pollfd wait{from_worker_, POLLIN, 0};
    const int ready = poll(&wait, 1, static_cast<int>(std::min(left, kSlice) * 1e3 + 1));
    if (ready < 0 && errno != EINTR) return lost(Exchange::Status::crashed, "poll failed");
    if (ready <= 0 && !ended) continue;
    char buffer[65536];
    const ssize_t got = ready <= 0 ? 0 : read(from_worker_, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      const bool idle = shared_->busy == 0;
      return lost(idle ? Exchange::Status::idle : Exchange::Status::crashed, how_it_ended());
    }
    pending_.append(buffer, static_cast<std::size_t>(got));
  }
}

std::string WorkerProcess::how_it_ended() {
  constexpr double kPatience = 3;  // seconds, with one that closed its pipe and goes on
  const double until = seconds_now() + kPatience;
  while (!has_ended() && seconds_now() < until) {
    poll(nullptr, 0, 1);
  }
  if (!has_ended()) return "the worker process closed its pipe; killed";
  int status = 0;
  std::string how = "the worker process ended";
  if (waitpid(pid_, &status, 0) != pid_) return how;
  pid_ = -1;
  return how + (WIFSIGNALED(status) ? " by signal " + std::to_string(WTERMSIG(status))
                                    : " with exit code " + std::to_string(WEXITSTATUS(status)));
}

}  // namespace loratune
