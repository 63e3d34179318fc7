#include "harness/check/cases_service.h"

#include <memory>

#include "harness/base/selection.h"
#include "harness/check/case_json.h"

namespace loratune {

using nlohmann::json;

Handler cases_service(WorkerShared& /*shared*/) {
  return [engine = std::shared_ptr<Engine>()](const json& request) mutable -> json {
    if (!engine) {
      engine = std::make_shared<Engine>(select_device(request.at("device").get<std::string>()));
      return {{"device", display_name(engine->info())}};
    }
    return to_json(run_case(*engine, matrix_case_from_json(request.at("case"))));
  };
}

}  // namespace loratune
