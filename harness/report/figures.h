// What a page shows of a recording and of a journal, made small: a page holds no rounds.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "harness/record/recording.h"
#include "harness/report/catalogue.h"
#include "harness/sweep/journal.h"

namespace loratune {

// A number with as many digits as a measurement is worth.
double six_digits(double value);

// Of each recorded problem what the default takes, and of each variant the fastest config that was
// correct, with each parameter's other values: what the config takes with this value in place of
// its own, the rest unchanged.
nlohmann::json parameter_costs(const Recording& recording, Catalogue& catalogue);

// Of each problem of a sweep the fastest probe so far: [configs tried, seconds since the problem's
// first probe, nanoseconds] wherever it became faster, and at the end. A reply that is no probe is
// passed over.
nlohmann::json search_progress(const JournalContent& journal, Catalogue& catalogue);

}  // namespace loratune
