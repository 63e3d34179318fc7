#include "harness/worker/worker.h"

#include "harness/base/failure.h"
#include "harness/base/plan_json.h"
#include "harness/timing/measure.h"
#include "harness/worker/arms_service.h"

namespace loratune {
namespace {

using nlohmann::json;

Prepared prepared_from(const Exchange& exchange) {
  if (exchange.status != Exchange::Status::ok) {
    return {outcome_of_loss(exchange.status), 0, 0, exchange.detail};
  }
  try {
    return prepared_from_json(exchange.reply);
  } catch (const std::exception& error) {
    return {Outcome::runtime, 0, 0, std::string("the worker's reply: ") + error.what()};
  }
}

// A slow host takes 40 ns an element of y; the rest is for one that is busy.
double tensor_seconds(const Problem& p) {
  constexpr double kElement = 150e-9;
  return kElement * static_cast<double>(p.m) * static_cast<double>(p.k + p.n);
}

}  // namespace

Worker::Worker(std::string device, Deadlines deadlines, std::string executable, bool times)
    : deadlines_(deadlines),
      service_(std::move(executable),
               {{"do", "open"},
                {"service", kArmsService},
                {"device", std::move(device)},
                {"times", times},
                {"build_bytes", deadlines.build_bytes}},
               deadlines.open) {}

Exchange Worker::reselect() {
  Exchange exchange = service_.transact(problem_, deadlines_.problem + 10 * tensor_s_);
  problem_sent_ = exchange.status == Exchange::Status::ok;
  return exchange;
}

// A process that is new knows nothing of what the last one was told.
void Worker::make_ready() {
  service_.make_ready();
  if (known_generation_ == service_.generation()) return;
  known_generation_ = service_.generation();
  floor_ns_ = service_.opened().value("floor_ns", 0.0);
  problem_sent_ = false;
  configs_ = 0;
  built_.clear();
}

Exchange Worker::request(const json& message, double deadline_s) {
  make_ready();
  if (!problem_.is_null() && !problem_sent_) {
    Exchange selected = reselect();
    if (selected.status != Exchange::Status::ok || selected.reply.contains("outcome"))
      return selected;
  }
  return service_.transact(message, deadline_s);
}

// A request that any process can serve: one whose process died idle is asked again of the next.
Prepared Worker::request_prepared(const json& message, double deadline_s) {
  Exchange exchange = request(message, deadline_s);
  for (int attempt = 1; exchange.status == Exchange::Status::idle && attempt < kServiceAttempts;
       ++attempt) {
    exchange = request(message, deadline_s);
  }
  return prepared_from(exchange);
}

// A context that has failed once is not to be trusted with the next config.
void Worker::after_fault(const Prepared& prepared) {
  if (prepared.outcome == Outcome::runtime) service_.process().end();
}

void Worker::set_problem(const Problem& problem, std::uint64_t seed, Cache cache, bool keep) {
  json wanted = {{"do", "problem"},
                 {"problem", to_string(problem)},
                 {"seed", seed},
                 {"cache", to_string(cache)},
                 {"keep", keep}};
  if (keep && wanted == problem_) return;
  if (!keep) {
    if (configs_ >= deadlines_.configs) service_.process().end();
    probe_ns_.clear();
  }
  tensor_s_ = tensor_seconds(problem);
  problem_ = std::move(wanted);
  problem_sent_ = false;
}

std::vector<double>& Worker::probes() {
  return probe_ns_[problem_.value("problem", std::string())];
}

Prepared Worker::build(const Problem& problem, const LaunchPlan& plan) {
  begin_build(problem, plan);
  Exchange exchange = service_.process().receive();
  for (int attempt = 1; exchange.status == Exchange::Status::idle && attempt < kServiceAttempts;
       ++attempt) {
    begin_build(problem, plan);
    exchange = service_.process().receive();
  }
  return built_from(exchange);
}

void Worker::begin_build(const Problem& problem, const LaunchPlan& plan) {
  make_ready();
  building_ = program_key(plan);
  service_.process().send(
      {{"do", "build"}, {"problem", to_string(problem)}, {"plan", to_json(plan)}},
      deadlines_.build);
}

Prepared Worker::end_build() { return built_from(service_.process().receive()); }

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
  const double deadline =
      deadlines_.run_slack + runs + 2 * tensor_s_ + (known ? 0 : deadlines_.build);
  Prepared prepared =
      request_prepared({{"do", "prepare"}, {"id", id}, {"plan", to_json(plan)}}, deadline);
  keep_probe(id, prepared);
  ++configs_;
  return prepared;
}

Prepared Worker::prepare_pack(int id, const Packing& a, const Packing& b) {
  Prepared prepared =
      request_prepared({{"do", "prepare_pack"}, {"id", id}, {"a", to_json(a)}, {"b", to_json(b)}},
                       deadlines_.problem + tensor_s_);
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
  if (!service_.process().alive()) return void_round();
  Exchange exchange;
  if (!problem_sent_) exchange = reselect();
  if (exchange.status == Exchange::Status::ok) {
    // Each block begins with y as it was.
    const double restored = static_cast<double>(round.order.size()) * tensor_s_;
    exchange =
        service_.transact(message, deadlines_.run_slack + 10 * expected_ns * 1e-9 + restored);
  }
  if (exchange.status == Exchange::Status::idle) return void_round();
  try {
    if (exchange.status == Exchange::Status::ok) {
      RoundReply reply = round_reply_from_json(exchange.reply, round);
      // A context in which an arm failed is not to be trusted with the next round.
      if (reply.failed >= 0) service_.process().end();
      return reply;
    }
    // What the page says is checked as a reply is: whoever is not in the round is not to blame.
    return round_reply_from_json(to_json(failed_round(service_.process().shared().current_arm,
                                                      outcome_of_loss(exchange.status))),
                                 round);
  } catch (const std::exception&) {  // nonsense, so nothing of that process is to be believed
    service_.process().end();
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
