// A Service is what a worker process does for its parent: the check of cases, the arms of a sweep,
// the rounds of a bench. The process itself only reads requests and writes replies, both of them
// JSON, one a line.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "harness/process/shared_page.h"

namespace loratune {

// Replies to a request. An exception becomes a reply too: {"fatal": what it says}.
using Handler = std::function<nlohmann::json(const nlohmann::json& request)>;

// Makes the handler of one process. The process writes to `shared` what it is at.
using Service = std::function<Handler(WorkerShared& shared)>;

// Replies to requests until its input ends, and returns the exit code. A request that has a member
// "service" opens the service of that name; the requests after it are for that service. Throws
// Failure (kExitUsage) where no WorkerProcess started this process.
int serve(const std::map<std::string, Service>& services);

}  // namespace loratune
