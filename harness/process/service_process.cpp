#include "harness/process/service_process.h"

#include "harness/base/failure.h"

namespace loratune {

using nlohmann::json;

ServiceProcess::ServiceProcess(std::string executable, json opening, double open_s)
    : opening_(std::move(opening)), open_s_(open_s), process_(std::move(executable)) {}

void ServiceProcess::make_ready() {
  for (int attempt = 1; !process_.alive(); ++attempt) {
    process_.start();
    ++generation_;
    const Exchange exchange = transact(opening_, open_s_);
    if (exchange.status == Exchange::Status::ok) {
      opened_ = exchange.reply;
      if (opened_.contains("device")) return;
      process_.end();
      throw Failure(kExitDeviceFault,
                    "the worker cannot open the device: " +
                        opened_.value("fatal", opened_.value("detail", "no reason given")));
    }
    if (attempt == kServiceAttempts) {
      throw Failure(kExitDeviceFault,
                    "three workers in a row could not open the device: " + exchange.detail);
    }
  }
}

Exchange ServiceProcess::transact(const json& message, double deadline_s) {
  process_.send(message, deadline_s);
  return process_.receive();
}

Exchange ServiceProcess::ask(const json& message, double deadline_s) {
  Exchange exchange;
  for (int attempt = 1; attempt <= kServiceAttempts; ++attempt) {
    make_ready();
    exchange = transact(message, deadline_s);
    if (exchange.status != Exchange::Status::idle) break;
  }
  return exchange;
}

}  // namespace loratune
