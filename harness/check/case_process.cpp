#include "harness/check/case_process.h"

#include "harness/check/case_json.h"
#include "harness/check/cases_service.h"

namespace loratune {
namespace {

using nlohmann::json;

// Two runs for each fill, beside which the data and the oracle are little, at 10 MFlop/s: even a
// simulator of devices is about as fast.
double work_s(const MatrixCase& matrix_case) {
  constexpr double kSlowest = 1e7;
  const double flops = matrix_case.variant->flops(matrix_case.shape.problem, matrix_case.config);
  return 2 * static_cast<double>(matrix_case.fills.size()) * flops / kSlowest;
}

CheckResult result_from(const Exchange& exchange) {
  if (exchange.status != Exchange::Status::ok) {
    return {outcome_of_loss(exchange.status), 0, exchange.detail};
  }
  try {
    return check_result_from_json(exchange.reply);
  } catch (const std::exception& error) {
    return {Outcome::runtime, 0, exchange.reply.value("fatal", error.what())};
  }
}

}  // namespace

CaseProcess::CaseProcess(const std::string& device, double patience_s, std::string executable)
    : patience_s_(patience_s),
      service_(std::move(executable),
               {{"do", "open"}, {"service", kCasesService}, {"device", device}},
               kServiceOpenSeconds) {}

CheckResult CaseProcess::run(const MatrixCase& matrix_case) {
  CheckResult result = result_from(service_.ask({{"do", "case"}, {"case", to_json(matrix_case)}},
                                                patience_s_ + work_s(matrix_case)));
  // A context that has failed once is not to be trusted with the next case.
  if (result.outcome == Outcome::runtime) service_.process().end();
  return result;
}

}  // namespace loratune
