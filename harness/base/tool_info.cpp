#include "harness/base/tool_info.h"

#include "harness/base/commit.h"

namespace loratune {

ToolInfo tool_info() { return {"lora-bench", LORATUNE_VERSION, LORATUNE_COMMIT}; }

}  // namespace loratune
