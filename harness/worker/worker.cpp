#include "harness/worker/worker.h"

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

#include "harness/base/clock.h"
#include "harness/base/failure.h"
#include "harness/base/plan_json.h"
#include "harness/timing/measure.h"

namespace loratune {
namespace {

using nlohmann::json;

Outcome lost_outcome(const Exchange& exchange) {
  return exchange.status == Exchange::Status::timed_out ? Outcome::timeout : Outcome::runtime;
}

Prepared prepared_from(const Exchange& exchange) {
  Prepared prepared;
  if (exchange.status != Exchange::Status::ok) {
    prepared.outcome = lost_outcome(exchange);
    prepared.detail = exchange.detail;
    return prepared;
  }
  const json& reply = exchange.reply;
  prepared.outcome =
      parse_outcome(reply.value("outcome", std::string("runtime"))).value_or(Outcome::runtime);
  prepared.probe_ns = reply.value("probe_ns", 0.0);
  prepared.error_over_bound = reply.value("error", 0.0);
  prepared.detail = reply.value("detail", std::string());
  return prepared;
}

}  // namespace

Worker::Worker(std::string device, Deadlines deadlines, std::string executable, bool times)
    : device_(std::move(device)),
      executable_(std::move(executable)),
      times_(times),
      deadlines_(deadlines) {
  std::signal(SIGPIPE, SIG_IGN);  // a worker that died shows as a failed write
}

Worker::~Worker() {
  kill_now();
  if (shared_ != nullptr) munmap(shared_, sizeof(WorkerShared));
}

void Worker::restart() { kill_now(); }

void Worker::kill_now() {
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
  built_.clear();
  problem_sent_ = false;
  configs_ = 0;
}

Exchange Worker::start() {
  int requests[2];
  int replies[2];
  const int shared = memfd_create("lora-bench-worker", MFD_CLOEXEC);
  if (shared < 0 || ftruncate(shared, sizeof(WorkerShared)) != 0 ||
      pipe2(requests, O_CLOEXEC) != 0 || pipe2(replies, O_CLOEXEC) != 0) {
    throw Failure(kExitDeviceFault,
                  std::string("cannot make a worker process: ") + std::strerror(errno));
  }
  if (shared_ != nullptr) munmap(shared_, sizeof(WorkerShared));
  shared_ = nullptr;
  void* mapped = mmap(nullptr, sizeof(WorkerShared), PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
  if (mapped == MAP_FAILED) {
    throw Failure(kExitDeviceFault,
                  std::string("cannot share memory with a worker: ") + std::strerror(errno));
  }
  shared_ = static_cast<WorkerShared*>(mapped);
  shared_->parent = getpid();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // Via high numbers, so that no descriptor is overwritten before it is copied.
  posix_spawn_file_actions_adddup2(&actions, replies[1], 100);
  posix_spawn_file_actions_adddup2(&actions, shared, 101);
  posix_spawn_file_actions_adddup2(&actions, requests[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, 100, kWorkerReplyFd);
  posix_spawn_file_actions_adddup2(&actions, 101, kWorkerSharedFd);
  posix_spawn_file_actions_addclose(&actions, 100);
  posix_spawn_file_actions_addclose(&actions, 101);
  std::string name = "lora-bench";
  std::string flag = "--worker";
  char* argv[] = {name.data(), flag.data(), nullptr};
  const int error = posix_spawn(&pid_, executable_.c_str(), &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(requests[0]);
  close(replies[1]);
  close(shared);
  to_worker_ = requests[1];
  from_worker_ = replies[0];
  if (error != 0) {
    pid_ = -1;
    kill_now();
    throw Failure(kExitDeviceFault,
                  std::string("cannot start a worker process: ") + std::strerror(error));
  }
  ++generation_;
  Exchange opened = transact({{"do", "open"},
                              {"device", device_},
                              {"times", times_},
                              {"build_bytes", deadlines_.build_bytes}},
                             deadlines_.open);
  if (opened.status == Exchange::Status::ok && !opened.reply.contains("floor_ns")) {
    kill_now();
    throw Failure(kExitDeviceFault,
                  "the worker cannot open the device: " +
                      opened.reply.value(
                          "fatal", opened.reply.value("detail", std::string("no reason given"))));
  }
  if (opened.status == Exchange::Status::ok) floor_ns_ = opened.reply.at("floor_ns").get<double>();
  return opened;
}

Exchange Worker::reselect() {
  Exchange exchange = transact(problem_, deadlines_.problem);
  problem_sent_ = exchange.status == Exchange::Status::ok;
  return exchange;
}

void Worker::make_ready() {
  for (int attempt = 1; pid_ < 0; ++attempt) {
    const Exchange opened = start();
    if (opened.status == Exchange::Status::ok) break;
    if (attempt == 3) {
      throw Failure(kExitDeviceFault,
                    "three workers in a row could not open the device: " + opened.detail);
    }
  }
}

Exchange Worker::request(const json& message, double deadline_s) {
  make_ready();
  if (!problem_.is_null() && !problem_sent_) {
    Exchange selected = reselect();
    if (selected.status != Exchange::Status::ok || selected.reply.contains("outcome"))
      return selected;
  }
  return transact(message, deadline_s);
}

Exchange Worker::lost(Exchange::Status status, std::string detail) {
  kill_now();
  return {status, {}, std::move(detail)};
}

Exchange Worker::transact(const json& message, double deadline_s) {
  send(message, deadline_s);
  return receive();
}

// Where the process is gone, receive() says so.
void Worker::send(const json& message, double deadline_s) {
  allowed_s_ = deadline_s;
  deadline_ = seconds_now() + deadline_s;
  const std::string text = message.dump() + '\n';
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t wrote = write(to_worker_, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return;
    done += static_cast<std::size_t>(wrote);
  }
}

Exchange Worker::receive() {
  for (;;) {
    const std::size_t newline = pending_.find('\n');
    if (newline != std::string::npos) {
      const std::string line = pending_.substr(0, newline);
      pending_.erase(0, newline + 1);
      json reply = json::parse(line, nullptr, false);
      if (!reply.is_object())
        return lost(Exchange::Status::crashed, "the worker process replied with nonsense");
      return {Exchange::Status::ok, std::move(reply), {}};
    }
    const double left = deadline_ - seconds_now();
    if (left <= 0) {
      return lost(Exchange::Status::timed_out,
                  "no end within " + std::to_string(allowed_s_) + " s; killed");
    }
    pollfd wait{from_worker_, POLLIN, 0};
    const int ready = poll(&wait, 1, static_cast<int>(std::min(left * 1e3 + 1, 1e9)));
    if (ready < 0 && errno != EINTR) return lost(Exchange::Status::crashed, "poll failed");
    if (ready <= 0) continue;
    char buffer[65536];
    const ssize_t got = read(from_worker_, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      int status = 0;
      std::string how = "the worker process ended";
      if (waitpid(pid_, &status, 0) == pid_) {
        if (WIFSIGNALED(status)) {
          how += " by signal " + std::to_string(WTERMSIG(status));
        } else {
          how += " with exit code " + std::to_string(WEXITSTATUS(status));
        }
        pid_ = -1;
      }
      return lost(Exchange::Status::crashed, how);
    }
    pending_.append(buffer, static_cast<std::size_t>(got));
  }
}

// A context that has failed once is not to be trusted with the next config.
void Worker::after_fault(const Prepared& prepared) {
  if (prepared.outcome == Outcome::runtime) kill_now();
}

void Worker::set_problem(const Problem& problem, std::uint64_t seed, Cache cache, bool keep) {
  json wanted = {{"do", "problem"},
                 {"problem", to_string(problem)},
                 {"seed", seed},
                 {"cache", to_string(cache)},
                 {"keep", keep}};
  if (keep && wanted == problem_) return;
  if (!keep) {
    if (configs_ >= deadlines_.configs) kill_now();
    probe_ns_.clear();
  }
  problem_ = std::move(wanted);
  problem_sent_ = false;
}

std::vector<double>& Worker::probes() {
  return probe_ns_[problem_.value("problem", std::string())];
}

Prepared Worker::build(const Problem& problem, const LaunchPlan& plan) {
  begin_build(problem, plan);
  return end_build();
}

void Worker::begin_build(const Problem& problem, const LaunchPlan& plan) {
  make_ready();
  building_ = program_key(plan);
  send({{"do", "build"}, {"problem", to_string(problem)}, {"plan", to_json(plan)}},
       deadlines_.build);
}

Prepared Worker::end_build() {
  Prepared prepared = prepared_from(receive());
  if (prepared.outcome == Outcome::correct) built_.insert(building_);
  after_fault(prepared);
  return prepared;
}

Prepared Worker::prepare(int id, const LaunchPlan& plan, double anchor_ns) {
  // Two checked runs and the probe; with an unknown anchor or an unbuilt program, building too.
  const bool known = anchor_ns > 0 && built_.contains(program_key(plan));
  const double runs = 3 * (5 * anchor_ns * 1e-9 + 0.05);
  const double deadline = deadlines_.run_slack + runs + (known ? 0 : deadlines_.build);
  Prepared prepared =
      prepared_from(request({{"do", "prepare"}, {"id", id}, {"plan", to_json(plan)}}, deadline));
  keep_probe(id, prepared);
  ++configs_;
  return prepared;
}

Prepared Worker::prepare_pack(int id, const Packing& a, const Packing& b) {
  Prepared prepared = prepared_from(
      request({{"do", "prepare_pack"}, {"id", id}, {"a", to_json(a)}, {"b", to_json(b)}},
              deadlines_.problem));
  keep_probe(id, prepared);
  return prepared;
}

void Worker::keep_probe(int id, const Prepared& prepared) {
  std::vector<double>& by_arm = probes();
  if (static_cast<std::size_t>(id) >= by_arm.size())
    by_arm.resize(static_cast<std::size_t>(id) + 1);
  by_arm[static_cast<std::size_t>(id)] = prepared.probe_ns;
  after_fault(prepared);
}

RoundReply Worker::run_round(const Round& round) {
  double expected_ns = 0;
  for (const int id : round.order) {
    if (id == kCanary) continue;
    const double run_ns = probes().at(static_cast<std::size_t>(id));
    expected_ns +=
        run_ns * (round.runs > 0 ? round.runs : block_runs(run_ns)) * (round.doubled ? 3 : 1) +
        21 * run_ns;
  }
  const Exchange exchange = request(
      {{"do", "round"}, {"order", round.order}, {"doubled", round.doubled}, {"runs", round.runs}},
      deadlines_.run_slack + 10 * expected_ns * 1e-9);
  RoundReply reply;
  if (exchange.status != Exchange::Status::ok) {
    reply.failed = shared_->current_arm;
    reply.failure = lost_outcome(exchange);
    return reply;
  }
  if (exchange.reply.contains("failed")) {
    reply.failed = exchange.reply.at("failed").get<int>();
    reply.failure = Outcome::runtime;
    return reply;
  }
  exchange.reply.at("ns").get_to(reply.ns);
  exchange.reply.at("doubled_ns").get_to(reply.doubled_ns);
  reply.stolen = exchange.reply.at("stolen").get<bool>();
  return reply;
}

Prepared Worker::recheck(int id) {
  return prepared_from(request({{"do", "recheck"}, {"id", id}}, deadlines_.problem));
}

std::optional<Ceilings> Worker::ceilings() {
  problem_ = nullptr;  // its data is not wanted for this
  const Exchange exchange = request({{"do", "ceilings"}}, deadlines_.problem);
  if (exchange.status != Exchange::Status::ok || !exchange.reply.contains("copy_gbps")) return {};
  return ceilings_from_json(exchange.reply);
}

json Worker::read_events(int id) {
  const Exchange exchange = request({{"do", "events"}, {"id", id}}, deadlines_.problem);
  if (exchange.status != Exchange::Status::ok) return {{"fault", exchange.detail}};
  return exchange.reply;
}

}  // namespace loratune
