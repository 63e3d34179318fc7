// A consumer has headers of the names that ours have in their rooms. By its own names it gets its
// own, wherever its folder stands among the include paths; ours come as <loratune/...>.
#include "dispatch/device.h"
#include "variants/problem.h"

#ifdef ENGINE
#include <loratune/engine/device.h>
#endif
#include <loratune/dispatch/dispatcher.h>
#include <loratune/variants/problem.h>

#include <type_traits>

static_assert(consumer::kOwnDevice + consumer::kOwnProblem == 3);
static_assert(!std::is_same_v<loratune::Problem, loratune::Dispatcher>);
