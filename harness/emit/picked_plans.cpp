#include "harness/emit/picked_plans.h"

#include "dispatch/internal/printable.h"
#include "harness/base/failure.h"
#include "harness/base/selection.h"
#include "harness/base/tool_info.h"
#include "loratune/dispatch/default_choice.h"
#include "loratune/dispatch/plan_text.h"

namespace loratune {

bool has_words(const Problem& problem) {
  return problem.slices.count == 0 && problem.adapters == 0 && !problem.dora;
}

std::vector<EmittedPlan> picked_plans(const std::vector<Problem>& problems,
                                      const Dispatcher& dispatcher, const DeviceInfo& device,
                                      Mode mode) {
  std::vector<EmittedPlan> plans;
  for (const Problem& problem : problems) {
    Choice choice = dispatcher.pick(problem, mode);
    if (choice.variant != nullptr &&
        is_native(choice.variant->plan(problem, choice.config, device))) {
      // A function of ours: who links nothing of ours runs the default instead.
      choice = default_choice(problem, device, mode);
    }
    if (choice.variant == nullptr) {
      throw Failure(kExitUsage, to_string(problem) + ": no variant runs it on this device");
    }
    plans.push_back({problem, std::string(choice.variant->name),
                     choice.variant->plan(problem, choice.config, device)});
  }
  return plans;
}

std::string made_for(const DeviceInfo& device) {
  const ToolInfo tool = tool_info();
  return "by " + tool.name + " " + tool.version + ", commit " + tool.commit + ", for " +
         printable(display_name(device), 200);
}

}  // namespace loratune
