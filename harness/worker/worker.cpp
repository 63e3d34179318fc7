#include "harness/worker/worker.h"

#include "harness/base/failure.h"
#include "harness/base/plan_json.h"
#include "harness/timing/measure.h"

namespace loratune {
namespace {

using nlohmann::json;

// To open the device, and at a request whose process was idle when it died.
constexpr int kAttempts = 3;

Outcome lost_outcome(const Exchange& exchange) {
  return exchange.status == Exchange::Status::timed_out ? Outcome::timeout : Outcome::runtime;
}

Prepared prepared_from(const Exchange& exchange) {
  if (exchange.status != Exchange::Status::ok) {
    return {lost_outcome(exchange), 0, 0, exchange.detail};
  }
  try {
    return prepared_from_json(exchange.reply);
  } catch (const std::exception& error) {
    return {Outcome::runtime, 0, 0, std::string("the worker's reply: ") + error.what()};
  }
}

}  // namespace

Worker::Worker(std::string device, Deadlines deadlines, std::string executable, bool times)
    : device_(std::move(device)),
      times_(times),
      deadlines_(deadlines),
      process_(std::move(executable)) {}

Exchange Worker::start() {
  process_.start();
  ++generation_;
  problem_sent_ = false;
  configs_ = 0;
  built_.clear();
  Exchange opened = transact({{"do", "open"},
                              {"device", device_},
                              {"times", times_},
                              {"build_bytes", deadlines_.build_bytes}},
                             deadlines_.open);
  if (opened.status == Exchange::Status::ok && !opened.reply.contains("floor_ns")) {
    process_.end();
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

// Starts a process where none is, or where the last one has died since.
void Worker::make_ready() {
  for (int attempt = 1; !process_.alive(); ++attempt) {
    const Exchange opened = start();
    if (opened.status == Exchange::Status::ok) break;
    if (attempt == kAttempts) {
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

// A request that any process can serve: one whose process died idle is asked again of the next.
Prepared Worker::request_prepared(const json& message, double deadline_s) {
  Exchange exchange = request(message, deadline_s);
  for (int attempt = 1; exchange.status == Exchange::Status::idle && attempt < kAttempts;
       ++attempt) {
    exchange = request(message, deadline_s);
  }
  return prepared_from(exchange);
}

Exchange Worker::transact(const json& message, double deadline_s) {
  process_.send(message, deadline_s);
  return process_.receive();
}

// A context that has failed once is not to be trusted with the next config.
void Worker::after_fault(const Prepared& prepared) {
  if (prepared.outcome == Outcome::runtime) process_.end();
}

void Worker::set_problem(const Problem& problem, std::uint64_t seed, Cache cache, bool keep) {
  json wanted = {{"do", "problem"},
                 {"problem", to_string(problem)},
                 {"seed", seed},
                 {"cache", to_string(cache)},
                 {"keep", keep}};
  if (keep && wanted == problem_) return;
  if (!keep) {
    if (configs_ >= deadlines_.configs) process_.end();
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
  Exchange exchange = process_.receive();
  for (int attempt = 1; exchange.status == Exchange::Status::idle && attempt < kAttempts;
       ++attempt) {
    begin_build(problem, plan);
    exchange = process_.receive();
  }
  return built_from(exchange);
}

void Worker::begin_build(const Problem& problem, const LaunchPlan& plan) {
  make_ready();
  building_ = program_key(plan);
  process_.send({{"do", "build"}, {"problem", to_string(problem)}, {"plan", to_json(plan)}},
                deadlines_.build);
}

Prepared Worker::end_build() { return built_from(process_.receive()); }

Prepared Worker::built_from(const Exchange& exchange) {
  Prepared prepared = prepared_from(exchange);
  if (prepared.outcome == Outcome::correct) built_.insert(building_);
  after_fault(prepared);
  return prepared;
}

Prepared Worker::prepare(int id, const LaunchPlan& plan, double anchor_ns) {
  // Two checked runs and the probe; with an unknown anchor or an unbuilt program, building too.
  const bool known = anchor_ns > 0 && alive() && built_.contains(program_key(plan));
  const double runs = 3 * (5 * anchor_ns * 1e-9 + 0.05);
  const double deadline = deadlines_.run_slack + runs + (known ? 0 : deadlines_.build);
  Prepared prepared =
      request_prepared({{"do", "prepare"}, {"id", id}, {"plan", to_json(plan)}}, deadline);
  keep_probe(id, prepared);
  ++configs_;
  return prepared;
}

Prepared Worker::prepare_pack(int id, const Packing& a, const Packing& b) {
  Prepared prepared =
      request_prepared({{"do", "prepare_pack"}, {"id", id}, {"a", to_json(a)}, {"b", to_json(b)}},
                       deadlines_.problem);
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
  json message = to_json(round);
  message["do"] = "round";
  // A fresh process would have none of the arms.
  if (!process_.alive()) return void_round();
  Exchange exchange;
  if (!problem_sent_) exchange = reselect();
  if (exchange.status == Exchange::Status::ok) {
    exchange = transact(message, deadlines_.run_slack + 10 * expected_ns * 1e-9);
  }
  if (exchange.status == Exchange::Status::idle) return void_round();
  try {
    if (exchange.status == Exchange::Status::ok) {
      RoundReply reply = round_reply_from_json(exchange.reply, round);
      // A context in which an arm failed is not to be trusted with the next round.
      if (reply.failed >= 0) process_.end();
      return reply;
    }
    // What the page says is checked as a reply is: whoever is not in the round is not to blame.
    return round_reply_from_json(
        to_json(failed_round(process_.shared().current_arm, lost_outcome(exchange))), round);
  } catch (const std::exception&) {  // nonsense, so nothing of that process is to be believed
    process_.end();
    return void_round();
  }
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

EventReading Worker::read_events(int id) {
  const Exchange exchange = request({{"do", "events"}, {"id", id}}, deadlines_.problem);
  if (exchange.status != Exchange::Status::ok) return {0, exchange.detail};
  try {
    return event_reading_from_json(exchange.reply);
  } catch (const std::exception&) {
    return {0, exchange.reply.value("detail", std::string("the worker gave no reading"))};
  }
}

}  // namespace loratune
