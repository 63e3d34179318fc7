#include "harness/check/case_json.h"

#include <cmath>
#include <stdexcept>

#include "harness/base/device_json.h"
#include "harness/base/whole_from.h"

namespace loratune {

using nlohmann::json;

namespace {

json weights_json(const AdapterArguments& weights) {
  json value = {{"path", weights.path},
                {"format", weights.format},
                {"module", weights.module},
                {"rank", weights.rank},
                {"lenient", weights.lenient}};
  if (weights.alpha) value["alpha"] = *weights.alpha;
  return value;
}

AdapterArguments weights_from_json(const json& value) {
  AdapterArguments weights;
  value.at("path").get_to(weights.path);
  value.at("format").get_to(weights.format);
  value.at("module").get_to(weights.module);
  weights.rank = whole_from<int>(value.at("rank"), "rank", 0);
  value.at("lenient").get_to(weights.lenient);
  if (value.contains("alpha")) weights.alpha = value.at("alpha").get<double>();
  return weights;
}

}  // namespace

json to_json(const MatrixCase& matrix_case) {
  const Variant& variant = *matrix_case.variant;
  const Case& shape = matrix_case.shape;
  json fills = json::array();
  for (const Fill fill : matrix_case.fills) fills.push_back(static_cast<int>(fill));
  return {{"variant", variant.name},
          {"config", to_string(variant.space, matrix_case.config)},
          {"problem", to_string(shape.problem)},
          {"strides", {shape.off_x, shape.pad_x, shape.off_y, shape.pad_y}},
          {"apart", shape.apart},
          {"seed", shape.seed},
          {"weights", weights_json(shape.weights)},
          {"fills", fills},
          {"device", to_json(matrix_case.device)}};
}

MatrixCase matrix_case_from_json(const json& value) {
  MatrixCase matrix_case;
  matrix_case.variant = find_variant(value.at("variant").get<std::string>());
  if (matrix_case.variant == nullptr) throw std::invalid_argument("there is no such variant");
  const auto config =
      parse_config(matrix_case.variant->space, value.at("config").get<std::string>());
  if (!config) throw std::invalid_argument("there is no such config");
  matrix_case.config = *config;
  Case& shape = matrix_case.shape;
  std::string why;
  const auto problem = parse_problem(value.at("problem").get<std::string>(), why);
  if (!problem) throw std::invalid_argument(why);
  shape.problem = *problem;
  std::int64_t* const strides[] = {&shape.off_x, &shape.pad_x, &shape.off_y, &shape.pad_y};
  for (std::size_t i = 0; i < std::size(strides); ++i) {
    *strides[i] = whole_from<std::int64_t>(value.at("strides").at(i), "strides", 0);
  }
  value.at("apart").get_to(shape.apart);
  value.at("seed").get_to(shape.seed);
  shape.weights = weights_from_json(value.at("weights"));
  for (const json& fill : value.at("fills")) {
    matrix_case.fills.push_back(
        static_cast<Fill>(whole_from<int>(fill, "fill", 0, static_cast<int>(Fill::overflow))));
  }
  matrix_case.device = device_from_json(value.at("device"));
  return matrix_case;
}

json to_json(const CheckResult& result) {
  return {{"outcome", to_string(result.outcome)},
          {"error", result.error_over_bound},
          {"detail", result.detail}};
}

CheckResult check_result_from_json(const json& value) {
  const auto outcome = parse_outcome(value.at("outcome").get<std::string>());
  if (!outcome) throw std::invalid_argument("there is no such outcome");
  // JSON has no infinity, which is what the error of a NaN or of a stray write is.
  const double error = number_from(value.at("error"));
  return {*outcome, std::isnan(error) ? HUGE_VAL : error, value.at("detail").get<std::string>()};
}

}  // namespace loratune
