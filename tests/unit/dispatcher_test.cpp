#include "loratune/dispatch/dispatcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "dispatch/internal/dispatcher_state.h"
#include "loratune/dispatch/default_choice.h"
#include "loratune/variants/slices.h"
#include "unit/allocations.h"
#include "unit/fictional.h"
#include "unit/made_up_devices.h"
#include "unit/temporary_folder.h"

namespace loratune {
namespace {

using fictional::device;
using fictional::problem;

// The fictional file as if this build's kernels had been measured.
TunedFile current(TunedFile file) {
  for (auto& [name, kernel] : file.kernels) {
    const Variant* variant = find_variant(name);
    if (variant != nullptr) {
      kernel = {std::string(variant->source_sha256), variant->revision};
    }
  }
  return file;
}

TunedFile committed() {
  const ParsedTunedFile parsed = load_tuned_file(fictional::path());
  EXPECT_TRUE(parsed.file) << parsed.error;
  return current(parsed.file.value_or(TunedFile{}));
}

TunedFile only(TunedFile file, std::vector<Record> records, std::vector<Rule> rules = {}) {
  file.records = std::move(records);
  file.rules = std::move(rules);
  return file;
}

DeviceInfo with_units(int units) {
  DeviceInfo other = device();
  other.name = "Fictional F100 Plus";
  other.compute_units = units;
  return other;
}

bool is_default(const Choice& choice, const Problem& of, const DeviceInfo& on) {
  const Choice expected = default_choice(of, on);
  return choice.variant == expected.variant && choice.config == expected.config &&
         choice.device_match == DeviceMatch::none && choice.shape_match == ShapeMatch::fallback;
}

// The entry of the fictional file that was picked, by its WG_N; 0 for the default.
int picked(const Choice& choice) {
  if (choice.shape_match == ShapeMatch::fallback) return 0;
  EXPECT_EQ(choice.variant->name, "naive");
  return named_config(choice.variant->space, choice.config).back().second;
}

bool says(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Dispatcher, WithoutAFileTheDefault) {
  const Dispatcher dispatcher(device());
  for (const Mode mode : {Mode::fast, Mode::deterministic}) {
    EXPECT_TRUE(is_default(dispatcher.pick(problem(), mode), problem(), device()));
  }
}

TEST(Dispatcher, ExactRecord) {
  const Dispatcher dispatcher(committed(), device());
  const Choice choice = dispatcher.pick(problem());
  EXPECT_EQ(picked(choice), 8);
  EXPECT_EQ(choice.device_match, DeviceMatch::exact);
  EXPECT_EQ(choice.shape_match, ShapeMatch::exact);
}

// Every field of the problem is part of its key.
TEST(Dispatcher, AnotherProblemIsAnother) {
  const Dispatcher dispatcher(only(committed(), {fictional::record("d0", problem(), 8)}), device());
  ASSERT_EQ(picked(dispatcher.pick(problem())), 8);
  std::vector<Problem> others(11, problem());
  others[0].m = 2;
  others[1].k = 1025;
  others[2].n = 1023;
  others[3].rank = 7;
  others[4].dtype = Dtype::f32;
  others[5].k = kMaxExtent;
  others[6].dtype = Dtype::bf16;
  others[7].weights = Dtype::f32;
  others[8].slices = *parse_slices("512+512");
  others[9].adapters = 8;
  others[10].dora = true;
  for (const Problem& other : others) {
    EXPECT_TRUE(is_default(dispatcher.pick(other), other, device())) << to_string(other);
  }
  EXPECT_EQ(picked(dispatcher.pick(problem(), Mode::batch_invariant)), 0);
}

TEST(Dispatcher, WhatIsFastestServesDeterministicToo) {
  const std::vector<Rule> rules = {fictional::rule("d0", {4, 4}, {1, 64}, 32)};
  Record of_fast = fictional::record("d0", problem(), 8);
  const Dispatcher dispatcher(only(committed(), {of_fast}, rules), device());
  const Choice choice = dispatcher.pick(problem(), Mode::deterministic);
  EXPECT_EQ(picked(choice), 8);
  EXPECT_EQ(choice.shape_match, ShapeMatch::exact);
  EXPECT_EQ(picked(dispatcher.pick(problem(16, 4), Mode::deterministic)), 32);
  EXPECT_TRUE(says(dispatcher.explain(problem(), Mode::deterministic), "mode fast"));
  // What was measured in the mode itself comes first.
  Record of_mode = fictional::record("d0", problem(), 16);
  of_mode.mode = Mode::deterministic;
  const Dispatcher both(only(committed(), {of_fast, of_mode}, rules), device());
  EXPECT_EQ(picked(both.pick(problem(), Mode::deterministic)), 16);
  EXPECT_EQ(picked(both.pick(problem())), 8);
  EXPECT_TRUE(says(both.explain(problem(), Mode::deterministic), "comes after the pick"));
}

TEST(ProblemKey, DistinctAndReversible) {
  std::vector<ProblemKey> keys;
  for (const std::int64_t m : {std::int64_t{0}, std::int64_t{1}, kMaxExtent}) {
    for (const std::int64_t k : {std::int64_t{1}, kMaxExtent}) {
      for (const std::int64_t n : {std::int64_t{1}, kMaxExtent}) {
        for (const int rank : {1, kMaxRank}) {
          for (const int align : {0, 8, 4096}) {
            for (const Dtype dtype : {Dtype::f32, Dtype::f16}) {
              for (const bool accumulate : {false, true}) {
                const Problem p = {Op::fwd, dtype, accumulate, rank, align, m, k, n};
                for (const Mode mode : {Mode::fast, Mode::deterministic, Mode::batch_invariant}) {
                  keys.push_back(make_key(p, mode));
                  EXPECT_EQ(problem_of(keys.back()), p);
                  EXPECT_NE(keys.back(), ProblemKey{});
                }
              }
            }
          }
        }
      }
    }
  }
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end());
}

// Of each axis beyond the shape two values or more, on one problem.
std::vector<Problem> with_every_axis() {
  std::vector<Problem> all;
  for (const Types types : {Types(Dtype::bf16), Types(Dtype::f16, Dtype::f32),
                            Types(Dtype::f32, Dtype::bf16), Types(Dtype::bf16, Dtype::f32)}) {
    for (const char* slices :
         {"", "512+512", "1023+1", "1+1023", "1020+1+1+2", "128+128+128+128+128+128+128+128"}) {
      for (const int adapters : {0, 1, 255, 256, kMaxAdapters}) {
        for (const bool dora : {false, true}) {
          Problem p = problem();
          set_types(p, types);
          if (*slices != 0) p.slices = *parse_slices(slices);
          p.adapters = adapters;
          p.dora = dora;
          all.push_back(p);
        }
      }
    }
  }
  return all;
}

TEST(ProblemKey, HoldsEveryAxis) {
  std::vector<ProblemKey> keys = {make_key(problem(), Mode::fast)};
  std::set<std::uint64_t> hashes;
  for (const Problem& p : with_every_axis()) {
    EXPECT_TRUE(is_valid(p)) << to_string(p);
    keys.push_back(make_key(p, Mode::fast));
    hashes.insert(hash(keys.back()));
    EXPECT_EQ(problem_of(keys.back()), p) << to_string(p);
    Problem stated = p;
    stated.weights = weights_dtype(p);
    EXPECT_EQ(make_key(stated, Mode::fast), keys.back());
  }
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end());
  EXPECT_EQ(hashes.size(), with_every_axis().size());
}

// A record or a rule of each axis is found for its own problem, and for no other.
TEST(Dispatcher, EveryAxisIsFoundByItself) {
  const std::vector<Problem> all = with_every_axis();
  for (const bool of_rules : {false, true}) {
    std::vector<Record> records;
    std::vector<Rule> rules;
    for (const Problem& p : all) {
      if (p.adapters == 255 && of_rules) {
        rules.push_back(fictional::rule("d0", {8, 8}, {1, 1}, 8));
        rules.back().kind = kind_of(p);
        rules.back().n = {1024, 1024};
      } else if (p.adapters == 255) {
        records.push_back(fictional::record("d0", p, 8));
      }
    }
    const TunedFile file = only(committed(), records, rules);
    EXPECT_TRUE(parse_tuned_file(serialize(file)).file) << parse_tuned_file(serialize(file)).error;
    const Dispatcher dispatcher(file, device());
    for (const Problem& p : all) {
      if (!find_variant("naive")->supports(p, device())) continue;
      EXPECT_EQ(picked(dispatcher.pick(p)) == 8, p.adapters == 255) << to_string(p);
    }
  }
}

TEST(Dispatcher, WhatNoVariantTakesHasNoChoice) {
  const Dispatcher dispatcher(committed(), device());
  for (const Problem& p : with_every_axis()) {
    const bool taken = std::any_of(variants().begin(), variants().end(), [&](const Variant* one) {
      return one->supports(p, device()) && one->fit(p, device()) != Fit::never;
    });
    EXPECT_EQ(dispatcher.pick(p).variant != nullptr, taken) << to_string(p);
    EXPECT_EQ(says(dispatcher.explain(p), "no choice: no variant"), !taken) << to_string(p);
  }
}

TEST(ProblemKey, ValidAsTheProblemSays) {
  std::vector<Problem> all;
  for (const std::int64_t extent : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, kMaxExtent,
                                    kMaxExtent + 1, INT64_MAX, INT64_MIN}) {
    all.insert(all.end(), 3, problem());
    all[all.size() - 3].m = extent;
    all[all.size() - 2].k = extent;
    all[all.size() - 1].n = extent;
  }
  for (const int value : {-16, -1, 0, 1, 2, 3, 4, 1024, 1025, 4096, 8192, INT32_MAX, INT32_MIN}) {
    all.insert(all.end(), 3, problem());
    all[all.size() - 3].rank = value;
    all[all.size() - 2].align = value;
    all[all.size() - 1].align = value;
    all[all.size() - 1].dtype = Dtype::f32;
  }
  std::vector<Problem> beyond(11, problem());
  beyond[0].slices = {{1024}, 1};
  beyond[1].slices = {{512, 511}, 2};
  beyond[2].slices = {{512, 512, 1}, 2};
  beyond[3].slices = {{1025, -1}, 2};
  beyond[4].slices = {{128, 128, 128, 128, 128, 128, 128, 128}, 9};
  beyond[5].slices = {{1024}, 0};
  beyond[6].adapters = -1;
  beyond[7].adapters = kMaxAdapters + 1;
  beyond[8].dora = true;
  beyond[8].accumulate = false;
  beyond[9].dtype = static_cast<Dtype>(3);
  beyond[10].weights = static_cast<Dtype>(3);
  for (const Problem& p : beyond) EXPECT_FALSE(is_valid(p)) << to_string(p);
  all.insert(all.end(), beyond.begin(), beyond.end());
  const Dispatcher dispatcher(committed(), device());
  for (const Problem& p : all) {
    EXPECT_EQ(is_valid(p), invalid_reason(p).empty()) << to_string(p);
    EXPECT_EQ(dispatcher.pick(p).variant != nullptr, is_valid(p)) << to_string(p);
    EXPECT_NE(dispatcher.explain(p), "");
  }
}

TEST(Dispatcher, AlignedProblemTakesRecordsOfLessAlignment) {
  const Dispatcher dispatcher(committed(), device());
  const auto at = [&](int align) {
    Problem aligned = problem();
    aligned.align = align;
    return picked(dispatcher.pick(aligned));
  };
  EXPECT_EQ(at(0), 8);
  EXPECT_EQ(at(2), 8);  // the element size, stated
  EXPECT_EQ(at(8), 8);
  EXPECT_EQ(at(16), 16);
  EXPECT_EQ(at(4096), 16);
  TunedFile file = only(committed(), {committed().records[0]});
  file.records[0].problem.align = 16;
  const Dispatcher strict(file, device());
  EXPECT_EQ(picked(strict.pick(problem())), 0);
  EXPECT_TRUE(says(strict.explain(problem()), "needs more alignment"));
}

TEST(Dispatcher, OtherDriverThenSimilar) {
  const Dispatcher dispatcher(committed(), device());
  EXPECT_EQ(dispatcher.pick(problem(2)).device_match, DeviceMatch::other_driver);
  EXPECT_EQ(picked(dispatcher.pick(problem(2))), 32);
  // d3 has 30 units, d2 40: the nearer one counts.
  EXPECT_EQ(dispatcher.pick(problem(3)).device_match, DeviceMatch::similar);
  EXPECT_EQ(picked(dispatcher.pick(problem(3))), 128);
  // d4 has more than twice the units.
  EXPECT_EQ(picked(dispatcher.pick(problem(4))), 0);

  // For a device between, the order turns.
  const Dispatcher between(committed(), with_units(39));
  EXPECT_EQ(picked(between.pick(problem(3))), 64);
  const Dispatcher tie(committed(), with_units(35));
  EXPECT_EQ(picked(tie.pick(problem(3))), 64) << "of two at the same distance, the first id";
  const Dispatcher stranger(committed(), with_units(1));
  EXPECT_EQ(picked(stranger.pick(problem())), 0);
  EXPECT_TRUE(says(stranger.explain(problem()), "no device like this one"));
}

TEST(Dispatcher, RulesByRange) {
  const Dispatcher dispatcher(committed(), device());
  const auto at = [&](std::int64_t m, int rank, bool accumulate = true) {
    Problem p = problem(m, rank);
    p.accumulate = accumulate;
    return picked(dispatcher.pick(p));
  };
  EXPECT_EQ(at(16, 5), 128);
  EXPECT_EQ(at(64, 8), 128);
  EXPECT_EQ(dispatcher.pick(problem(16)).shape_match, ShapeMatch::rule);
  EXPECT_EQ(dispatcher.pick(problem(16)).device_match, DeviceMatch::exact);
  EXPECT_EQ(at(15, 8), 0);
  EXPECT_EQ(at(16, 4), 0);
  EXPECT_EQ(at(16, 9), 0);
  EXPECT_EQ(at(16, 8, false), 256) << "the rule of the same accumulate comes first";
  EXPECT_EQ(at(65, 8), 256) << "then the one of the other";
  EXPECT_EQ(at(257, 8), 0);
  Problem f32 = problem(16);
  f32.dtype = Dtype::f32;
  EXPECT_EQ(picked(dispatcher.pick(f32)), 0);
  EXPECT_EQ(picked(dispatcher.pick(problem(16), Mode::deterministic)), 128) << "of fast";
}

TEST(Dispatcher, RecordOfTheOtherAccumulateIsARuleMatch) {
  const Dispatcher dispatcher(committed(), device());
  Problem set = problem();
  set.accumulate = false;
  EXPECT_EQ(picked(dispatcher.pick(set)), 8);
  EXPECT_EQ(dispatcher.pick(set).shape_match, ShapeMatch::rule);
}

// A record comes before a rule that holds the same problem.
TEST(Dispatcher, RecordBeforeRule) {
  const Dispatcher dispatcher(only(committed(), {fictional::record("d0", problem(20), 8)},
                                   {fictional::rule("d0", {8, 8}, {16, 64}, 128)}),
                              device());
  EXPECT_EQ(picked(dispatcher.pick(problem(20))), 8);
  EXPECT_EQ(picked(dispatcher.pick(problem(21))), 128);
}

TEST(Dispatcher, EverySkipIsCountedAndNamed) {
  TunedFile file = committed();
  const auto reason = [&](auto change) {
    TunedFile changed = only(file, {fictional::record("d0", problem(), 8)},
                             {fictional::rule("d0", {8, 8}, {1, 9}, 16)});
    change(changed);
    const Dispatcher dispatcher(changed, device());
    EXPECT_TRUE(is_default(dispatcher.pick(problem()), problem(), device()));
    const auto skipped = dispatcher.skipped();
    if (skipped.size() != 1) return std::string("skipped for ") + std::to_string(skipped.size());
    EXPECT_EQ(skipped[0].second, 2) << "record and rule";
    EXPECT_TRUE(says(dispatcher.explain(problem()), ": " + skipped[0].first + "\n"));
    EXPECT_TRUE(says(dispatcher.explain(problem()), "skipped at load: 2 " + skipped[0].first));
    return skipped[0].first;
  };
  const auto config = [](const NamedConfig& value) {
    return [value](TunedFile& f) { f.records[0].config = f.rules[0].config = value; };
  };
  EXPECT_EQ(reason([](TunedFile& f) { f.kernels["naive"].source_sha256[0] ^= 1; }),
            "other kernel source");
  EXPECT_EQ(reason([](TunedFile& f) { f.kernels.erase("naive"); }), "other kernel source");
  EXPECT_EQ(reason([](TunedFile& f) { ++f.kernels["naive"].revision; }),
            "other revision of the variant");
  EXPECT_EQ(
      reason([](TunedFile& f) { f.records[0].variant = f.rules[0].variant = "warp_shuffle"; }),
      "unknown variant");
  EXPECT_EQ(reason(config({})), "unknown parameter");
  EXPECT_EQ(reason(config({{"A_TRANSPOSED", 0}, {"UNROLL", 1}, {"WG_M", 1}, {"WG_X", 8}})),
            "unknown parameter");
  EXPECT_EQ(
      reason(config({{"A_TRANSPOSED", 0}, {"NEW", 0}, {"UNROLL", 1}, {"WG_M", 1}, {"WG_N", 8}})),
      "unknown parameter");
  EXPECT_EQ(reason(config(fictional::naive(9))), "value outside the search space");
  EXPECT_EQ(reason(config(fictional::naive(-8))), "value outside the search space");
  // The control: without a change nothing is skipped.
  const Dispatcher good(only(file, {fictional::record("d0", problem(), 8)}), device());
  EXPECT_TRUE(good.skipped().empty());
  EXPECT_EQ(picked(good.pick(problem())), 8);
}

TEST(Dispatcher, TheCommittedFileIsOfOtherKernels) {
  const Dispatcher::Loaded loaded = Dispatcher::load(fictional::path(), device());
  ASSERT_TRUE(loaded.dispatcher) << loaded.error;
  EXPECT_EQ(picked(loaded.dispatcher->pick(problem())), 0);
  const std::vector<std::pair<std::string, int>> expected = {{"unknown variant", 1},
                                                             {"other kernel source", 10}};
  EXPECT_EQ(loaded.dispatcher->skipped(), expected);
}

// A config that the device of the file could run and this one cannot.
TEST(Dispatcher, EveryPickChecksWhetherItCanRun) {
  DeviceInfo small = with_units(20);
  small.max_work_group_size = 16;
  const TunedFile file = only(committed(), {fictional::record("d0", problem(), 256)},
                              {fictional::rule("d0", {8, 8}, {1, 9}, 32)});
  const Dispatcher dispatcher(file, small);
  EXPECT_TRUE(is_default(dispatcher.pick(problem()), problem(), small));
  EXPECT_TRUE(says(dispatcher.explain(problem()), "cannot run"));
  const Dispatcher large(file, device());
  EXPECT_EQ(picked(large.pick(problem())), 256);
}

// The constraint depends on the problem too: a rule may hold problems that it cannot run.
TEST(Dispatcher, ARuleMayNotRunAllOfItsRange) {
  const Variant* split = find_variant("split");
  ASSERT_NE(split, nullptr);
  const auto is_b_tile = [](const Parameter& p) { return p.name == "B_TILE"; };
  const auto at =
      std::find_if(split->space.parameters.begin(), split->space.parameters.end(), is_b_tile) -
      split->space.parameters.begin();
  ASSERT_LT(at, static_cast<std::ptrdiff_t>(split->space.parameters.size()));
  Config wide = split->default_config(problem(), device());
  wide[static_cast<int>(at)] = 16;
  ASSERT_TRUE(can_run(*split, wide, problem(), device()));
  Problem narrow = problem();
  narrow.n = 2;
  ASSERT_FALSE(can_run(*split, wide, narrow, device())) << "this test needs such a config";
  Rule rule = fictional::rule("d0", {8, 8}, {1, 9}, 8);
  rule.n = {1, 4096};
  rule.variant = "split";
  rule.config = named_config(split->space, wide);
  Rule other = fictional::rule("d0", {8, 8}, {1, 9}, 8);
  other.kind.accumulate = false;
  other.n = {1, 4096};
  const Dispatcher dispatcher(only(committed(), {}, {rule, other}), device());
  EXPECT_EQ(dispatcher.pick(problem()).config, wide);
  EXPECT_EQ(picked(dispatcher.pick(narrow)), 8) << "falls on to the next candidate";
  EXPECT_TRUE(says(dispatcher.explain(narrow), "cannot run this problem here"));
}

// So may a record that stands for every m.
TEST(Dispatcher, ARecordMayNotRunAtEveryM) {
  DeviceInfo small = device();
  small.max_alloc_bytes = 1 << 20;
  const Variant* split = find_variant("split");
  ASSERT_NE(split, nullptr);
  Record record = fictional::record("d0", problem(1), 8);
  record.mode = Mode::batch_invariant;
  record.variant = "split";
  const Config config = split->default_config(problem(1), small);
  record.config = named_config(split->space, config);
  ASSERT_FALSE(can_run(*split, config, problem(1'000'000), small)) << "this test needs a limit";
  const Dispatcher dispatcher(only(committed(), {record}), small);
  EXPECT_EQ(dispatcher.pick(problem(2), Mode::batch_invariant).shape_match, ShapeMatch::rule);
  const Choice choice = dispatcher.pick(problem(1'000'000), Mode::batch_invariant);
  EXPECT_EQ(choice.shape_match, ShapeMatch::fallback);
  EXPECT_TRUE(can_run(*choice.variant, choice.config, problem(1'000'000), small));
}

// A variant that says of itself that its bits differ from run to run.
const Variant* unsteady() {
  static const Variant kVariant = [] {
    Variant copy = *find_variant("naive");
    copy.plan = [](const Problem& p, const Config& c, const DeviceInfo& d) {
      LaunchPlan plan = find_variant("naive")->plan(p, c, d);
      plan.deterministic = false;
      return plan;
    };
    return copy;
  }();
  return &kVariant;
}

TEST(Dispatcher, OnlyDeterministicPlansWhereAskedFor) {
  BoundConfig bound;
  bound.variant = unsteady();
  bound.config = bound.variant->default_config(problem(), device());
  EXPECT_EQ(check_config(bound, problem(), Mode::fast, device()), SkipReason::none);
  for (const Mode mode : {Mode::deterministic, Mode::batch_invariant}) {
    EXPECT_EQ(check_config(bound, problem(), mode, device()), SkipReason::not_deterministic);
  }
  bound.variant = find_variant("naive");
  EXPECT_EQ(check_config(bound, problem(), Mode::deterministic, device()), SkipReason::none);

  const Dispatcher dispatcher(committed(), device());
  EXPECT_EQ(picked(dispatcher.pick(problem(), Mode::deterministic)), 64);
  for (const std::int64_t m : {0, 1, 16, 100}) {
    for (const Mode mode : {Mode::deterministic, Mode::batch_invariant}) {
      const Choice choice = dispatcher.pick(problem(m), mode);
      EXPECT_TRUE(choice.variant->plan(problem(m), choice.config, device()).deterministic);
    }
  }
}

TEST(Dispatcher, BatchInvariantDoesNotDependOnM) {
  Record at_1 = fictional::record("d0", problem(1), 8);
  Record at_512 = fictional::record("d0", problem(512), 16);
  Rule narrow = fictional::rule("d0", {4, 4}, {1, 64}, 32);
  Rule wide = fictional::rule("d0", {5, 5}, {0, kMaxExtent}, 64);
  at_1.mode = at_512.mode = narrow.mode = wide.mode = Mode::batch_invariant;
  const Dispatcher dispatcher(only(committed(), {at_1, at_512}, {narrow, wide}), device());
  const std::vector<std::pair<std::string, int>> expected = {{"depends on m", 2}};
  EXPECT_EQ(dispatcher.skipped(), expected);
  for (const int rank : {4, 5, 8, 64}) {
    const Choice first = dispatcher.pick(problem(1, rank), Mode::batch_invariant);
    for (const std::int64_t m : {0, 1, 2, 17, 129, 512, 4096}) {
      const Choice choice = dispatcher.pick(problem(m, rank), Mode::batch_invariant);
      EXPECT_EQ(choice.variant, first.variant) << m;
      EXPECT_EQ(choice.config, first.config) << m;
    }
  }
  EXPECT_EQ(picked(dispatcher.pick(problem(512), Mode::batch_invariant)), 8);
  EXPECT_EQ(dispatcher.pick(problem(1), Mode::batch_invariant).shape_match, ShapeMatch::exact);
  EXPECT_EQ(dispatcher.pick(problem(2), Mode::batch_invariant).shape_match, ShapeMatch::rule);
  EXPECT_TRUE(says(dispatcher.explain(problem(2), Mode::batch_invariant), "match: other_rows"));
  EXPECT_EQ(picked(dispatcher.pick(problem(1, 5), Mode::batch_invariant)), 64);
  EXPECT_EQ(picked(dispatcher.pick(problem(1, 4), Mode::batch_invariant)), 0);
}

// Records of several m have one config, and each its own evidence.
TEST(Dispatcher, ABatchInvariantRecordOfTheVeryProblemAnswersFirst) {
  Record at_512 = fictional::record("d0", problem(512), 8);
  Record at_16 = fictional::record("d0", problem(16), 8);
  Record at_1 = fictional::record("d0", problem(1), 8);
  at_512.mode = at_16.mode = at_1.mode = Mode::batch_invariant;
  Record aligned =
      fictional::record("d0", problem(1), 16);  // of another config, for more alignment
  aligned.mode = Mode::batch_invariant;
  aligned.problem.align = 64;
  at_16.time_ns = 1616;
  for (std::vector<Record> records :
       {std::vector{at_1, at_16, at_512, aligned}, std::vector{at_512, at_16, aligned, at_1}}) {
    const Dispatcher dispatcher(only(committed(), std::move(records)), device());
    EXPECT_TRUE(dispatcher.skipped().empty());
    for (const std::int64_t m : {1, 16, 512}) {
      const Choice choice = dispatcher.pick(problem(m), Mode::batch_invariant);
      EXPECT_EQ(picked(choice), 8) << m;
      EXPECT_EQ(choice.shape_match, ShapeMatch::exact) << m;
      EXPECT_TRUE(says(dispatcher.explain(problem(m), Mode::batch_invariant),
                       "shape match: exact, d0 record " + to_string(problem(m))))
          << m;
    }
    EXPECT_TRUE(says(dispatcher.explain(problem(16), Mode::batch_invariant), "1616 ns"));
    const Choice between = dispatcher.pick(problem(17), Mode::batch_invariant);
    EXPECT_EQ(picked(between), 8);
    EXPECT_EQ(between.shape_match, ShapeMatch::rule);
    for (const std::int64_t m : {1, 16, 17, 512}) {
      Problem more = problem(m);
      more.align = 64;
      EXPECT_EQ(picked(dispatcher.pick(more, Mode::batch_invariant)), 16)
          << "the one of more alignment, whatever m is";
    }
    const int before = allocations().count;
    for (const std::int64_t m : {1, 17, 512}) dispatcher.pick(problem(m), Mode::batch_invariant);
    EXPECT_EQ(allocations().count, before);
  }
}

// tensor_rows refuses blocks of many rows where there are few: a rule that holds such blocks would
// answer for many rows alone.
TEST(Dispatcher, ABatchInvariantRuleThatCannotRunOneRowAnswersForNone) {
  const DeviceInfo gpu = made_up::nvidia();
  const auto at = [](std::int64_t m) {
    std::string why;
    return parse_problem("m" + std::to_string(m) + "_k1024_n1024_r16_f16_acc", why).value();
  };
  const Variant* variant = find_variant("tensor_rows");
  ASSERT_NE(variant, nullptr);
  const Config config = variant->default_config(at(4096), gpu);
  ASSERT_TRUE(can_run(*variant, config, at(4096), gpu));
  ASSERT_FALSE(can_run(*variant, config, at(1), gpu)) << "this test needs blocks of many rows";
  Rule rule = fictional::rule("d0", {16, 16}, {1, kMaxExtent}, 8);
  rule.kind = kind_of(at(1));
  rule.mode = Mode::batch_invariant;
  rule.k = rule.n = {1024, 1024};
  rule.variant = "tensor_rows";
  rule.config = named_config(variant->space, config);
  TunedFile file = only(committed(), {}, {rule});
  file.devices = {{"d0", tuned_device(gpu)}};
  file.kernels["tensor_rows"] = {std::string(variant->source_sha256), variant->revision};
  const Dispatcher dispatcher(file, gpu);
  const Choice one = dispatcher.pick(at(1), Mode::batch_invariant);
  for (const std::int64_t m : {2, 64, 4096}) {
    const Choice choice = dispatcher.pick(at(m), Mode::batch_invariant);
    EXPECT_EQ(choice.variant, one.variant) << m;
    EXPECT_EQ(choice.config, one.config) << m;
  }
  EXPECT_EQ(dispatcher.choices(at(4096), Mode::batch_invariant).front().shape_match,
            ShapeMatch::fallback);
}

// Whatever is asked, what is answered can run.
TEST(Dispatcher, EveryAnswerCanRun) {
  DeviceInfo tiny = device();
  tiny.max_work_group_size = 1;
  tiny.local_mem_bytes = 0;
  for (const DeviceInfo& on : {device(), with_units(30), tiny}) {
    const Dispatcher dispatcher(committed(), on);
    for (const std::int64_t m : {0, 1, 3, 17, 4097}) {
      for (const std::int64_t k : {1, 563, 4096}) {
        for (const int rank : {1, 7, 64, 1024}) {
          for (const Mode mode : {Mode::fast, Mode::deterministic, Mode::batch_invariant}) {
            Problem p = problem(m, rank);
            p.k = k;
            const Choice choice = dispatcher.pick(p, mode);
            ASSERT_NE(choice.variant, nullptr);
            EXPECT_TRUE(can_run(*choice.variant, choice.config, p, on)) << to_string(p);
          }
        }
      }
    }
  }
}

TEST(Dispatcher, ExplainTellsEverything) {
  const Dispatcher dispatcher(committed(), device());
  const std::string exact = dispatcher.explain(problem());
  EXPECT_TRUE(says(exact, "picked: naive")) << exact;
  EXPECT_TRUE(says(exact, "device match: exact, d0 = Fictional F100, driver 1.0")) << exact;
  EXPECT_TRUE(says(exact, "shape match: exact")) << exact;
  EXPECT_TRUE(says(exact, "1.65x the default, 1.61..1.69 at level 0.9942 (40 rounds, wall)"));
  EXPECT_TRUE(says(exact, "d1 record " + to_string(problem()))) << exact;
  EXPECT_TRUE(says(exact, "comes after the pick")) << exact;
  EXPECT_TRUE(says(exact, "needs more alignment")) << exact;
  EXPECT_TRUE(says(exact, "skipped at load: 1 unknown variant")) << exact;
  EXPECT_TRUE(says(dispatcher.explain(problem(4)), "of another device"));
  EXPECT_TRUE(says(dispatcher.explain(problem(5)), "unknown variant"));
  EXPECT_TRUE(says(dispatcher.explain(problem(16)), "at most 3 % behind the best"));
  EXPECT_TRUE(says(dispatcher.explain(problem(9999)), "the built-in default"));
  EXPECT_TRUE(dispatcher.misses().empty()) << "to explain is not to miss";
}

TEST(Dispatcher, ExplainHasAWordForEachWayToMatch) {
  Problem set = problem();
  set.accumulate = false;
  const Dispatcher own(committed(), device());
  EXPECT_TRUE(says(own.explain(set), "shape match: other_write, d0 record")) << own.explain(set);
  EXPECT_TRUE(says(own.explain(problem(16)), "shape match: rule, d0 rule"));
  EXPECT_TRUE(says(own.explain(problem(9999)), "device match: unused\n"))
      << "the file's own device, of which no entry fits";
  EXPECT_TRUE(says(Dispatcher(device()).explain(problem()), "device match: no_file\n"));
  EXPECT_TRUE(says(Dispatcher(committed(), {}).explain(problem()), "device match: no_device\n"));
  DeviceInfo other = device();
  other.name = "Factual";
  EXPECT_TRUE(says(Dispatcher(committed(), other).explain(problem()), "device match: none\n"));
}

TEST(Dispatcher, HostileNamesAreEscaped) {
  TunedFile file = committed();
  DeviceInfo evil = device();
  evil.name = file.devices["d0"].name = "Evil\x1b[31m\n" + std::string(200, 'x');
  const Dispatcher dispatcher(file, evil);
  for (const char c : dispatcher.explain(problem())) {
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c < 0x7f));
  }
  EXPECT_EQ(dispatcher.pick(problem()).device_match, DeviceMatch::exact);
}

TEST(Dispatcher, LoadErrors) {
  EXPECT_FALSE(Dispatcher::load("/nonexistent", device()).dispatcher);
  EXPECT_TRUE(says(Dispatcher::load("/nonexistent", device()).error, "No such file"));
  const auto loaded = Dispatcher::load_bytes("{\"version\":2}", device());
  EXPECT_FALSE(loaded.dispatcher);
  EXPECT_NE(loaded.error, "");
  EXPECT_TRUE(Dispatcher::load_bytes(serialize(committed()), device()).dispatcher);
}

TEST(Dispatcher, Misses) {
  const Dispatcher dispatcher(committed(), device());
  dispatcher.pick(problem());  // no miss
  dispatcher.pick(problem(7777));
  for (int i = 0; i < 3; ++i) dispatcher.pick(problem(8888));
  dispatcher.pick(problem(8888), Mode::deterministic);
  Problem invalid = problem();
  invalid.k = 0;
  dispatcher.pick(invalid);
  const std::vector<Problem> expected = {problem(8888), problem(7777)};
  EXPECT_EQ(dispatcher.misses(), expected);
}

TEST(Dispatcher, MissesAreBounded) {
  const Dispatcher dispatcher(device());
  for (int m = 0; m < 100'000; ++m) dispatcher.pick(problem(m));
  EXPECT_LE(dispatcher.misses().size(), MissTable::kSlots);
  EXPECT_GT(dispatcher.misses().size(), MissTable::kSlots / 2);
}

TEST(Dispatcher, Moves) {
  Dispatcher first(committed(), device());
  Dispatcher second(std::move(first));
  EXPECT_EQ(picked(second.pick(problem())), 8);
  first = Dispatcher(device());
  EXPECT_EQ(picked(first.pick(problem())), 0);
  first = std::move(second);
  EXPECT_EQ(picked(first.pick(problem())), 8);
  EXPECT_EQ(first.device(), device());
  const Problem p = problem();
  static_assert(noexcept(first.pick(p)));
  static_assert(!std::is_copy_constructible_v<Dispatcher>);
}

TEST(Dispatcher, PickAllocatesNothing) {
  const Dispatcher dispatcher(committed(), device());
  const std::vector<Problem> problems = {problem(), problem(2), problem(16), problem(9999)};
  const int before = allocations().count;
  for (const Problem& p : problems) {
    for (const Mode mode : {Mode::fast, Mode::deterministic, Mode::batch_invariant}) {
      dispatcher.pick(p, mode);
    }
  }
  EXPECT_EQ(allocations().count, before);
  dispatcher.explain(problem());
  EXPECT_GT(allocations().count, before) << "the counter does not count";
}

// The check of such a record works out the default of each module for the device.
TEST(Dispatcher, APickOfModulesOneAfterAnotherAllocatesNothing) {
  DeviceInfo cpu = made_up::cpu();
  cpu.device_version = "OpenCL 3.0";  // without which its name says no model
  const Variant& separate = *find_variant("separate");
  std::vector<Record> records;
  for (const std::int64_t m : {1, 16, 128}) {
    Problem group = problem(m);
    group.slices = *parse_slices("512+512");
    const Config config = separate.default_config(group, cpu);
    ASSERT_TRUE(can_run(separate, config, group, cpu));
    ASSERT_EQ(best_fit(slice_problem(group, 0), cpu)->name, "register_tiled");
    records.push_back(fictional::record("d0", group, 8));
    records.back().variant = "separate";
    records.back().config = named_config(separate.space, config);
  }
  TunedFile file = only(committed(), records);
  file.devices = {{"d0", tuned_device(cpu)}};
  file.kernels["separate"] = {std::string(separate.source_sha256), separate.revision};
  const Dispatcher dispatcher(file, cpu);
  for (const Record& record : records) {
    const int before = allocations().count;
    const Choice choice = dispatcher.pick(record.problem);
    EXPECT_EQ(allocations().count, before) << to_string(record.problem);
    EXPECT_EQ(choice.variant, &separate);
    EXPECT_EQ(choice.shape_match, ShapeMatch::exact);
  }
}

TEST(Dispatcher, PicksFromManyThreads) {
  const Dispatcher dispatcher(committed(), device());
  constexpr int kThreads = 8;
  constexpr int kRounds = 2000;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        const Choice exact = dispatcher.pick(problem());
        if (exact.shape_match != ShapeMatch::exact) ++wrong;
        const Choice miss = dispatcher.pick(problem(1000 + (i + t) % 300));
        if (miss.shape_match != ShapeMatch::fallback) ++wrong;
        if (i % 500 == 0 && dispatcher.misses().size() > 300) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(dispatcher.misses().size(), 300U);
}

TEST(MissTable, CountsFromManyThreadsAddUp) {
  MissTable table;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i)
        table.count(make_key(problem(i % 10), Mode::fast), [] { return Choice{}; });
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto all = table.all();
  EXPECT_EQ(all.size(), 10U);
  std::uint64_t sum = 0;
  for (const auto& [key, times] : all) sum += times;
  EXPECT_EQ(sum, 40'000U);
}

TEST(MissTable, WorksOutADefaultOnceWhileThereIsRoom) {
  const Choice of_1 = default_choice(problem(1), device());
  MissTable table;
  int made = 0;
  const auto count = [&](std::int64_t m) {
    return table.count(make_key(problem(m), Mode::fast), [&] {
      ++made;
      return default_choice(problem(m), device());
    });
  };
  for (int i = 0; i < 3; ++i) {
    const Choice choice = count(1);
    EXPECT_EQ(choice.variant, of_1.variant);
    EXPECT_EQ(choice.config, of_1.config);
  }
  EXPECT_EQ(made, 1);
  constexpr int kMany = 10 * static_cast<int>(MissTable::kSlots);
  for (std::int64_t m = 2; m < kMany; ++m) count(m);
  made = 0;
  for (std::int64_t m = 2; m < kMany; ++m) count(m);
  EXPECT_EQ(made, kMany - 1 - static_cast<int>(table.all().size())) << "what found no room";
}

TEST(Dispatcher, ADefaultIsTheSameEveryTime) {
  const Dispatcher dispatcher(device());
  for (int i = 0; i < 2; ++i) {
    for (const std::int64_t m : {0, 1, 16, 100}) {
      for (const Mode mode : {Mode::fast, Mode::deterministic, Mode::batch_invariant}) {
        const Choice choice = dispatcher.pick(problem(m), mode);
        const Choice expected = default_choice(problem(m), device(), mode);
        EXPECT_EQ(choice.variant, expected.variant);
        EXPECT_EQ(choice.config, expected.config);
      }
    }
  }
}

// Keys that differ only in what is compared last, and keys that are not there.
TEST(RecordTable, FindsAKeyByAllOfIt) {
  const std::vector<Problem> all = with_every_axis();
  std::vector<std::pair<ProblemKey, BoundEntry>> entries;
  for (std::uint32_t i = 0; i < all.size(); i += 2) {
    entries.emplace_back(make_key(all[i], Mode::fast), BoundEntry{.index = i});
  }
  entries.emplace_back(entries[0].first, BoundEntry{.index = 1});  // the first counts
  const RecordTable table(entries, 7);
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    const BoundEntry* found = table.find(make_key(all[i], Mode::fast));
    ASSERT_EQ(found != nullptr, i % 2 == 0) << to_string(all[i]);
    if (found != nullptr) {
      EXPECT_EQ(found->index, i);
    }
    EXPECT_EQ(table.find(make_key(all[i], Mode::deterministic)), nullptr);
  }
  EXPECT_EQ(RecordTable().find(make_key(problem(), Mode::fast)), nullptr);
  EXPECT_EQ(RecordTable({}, 7).find(make_key(problem(), Mode::fast)), nullptr);
}

// Who chooses keys that meet under one seed has chosen keys like any others for the next one.
TEST(RecordTable, KeysThatMeetDoSoForOneSeed) {
  constexpr std::uint64_t kPlaces = 1024;
  std::set<std::uint64_t> others;
  int meeting = 0;
  for (std::int64_t m = 0; meeting < 200; ++m) {
    const ProblemKey key = make_key(problem(m), Mode::fast);
    if (hash(key, 1) % kPlaces != 0) continue;
    ++meeting;
    others.insert(hash(key, 2) % kPlaces);
  }
  EXPECT_GT(others.size(), 150U) << "of 200 random places among 1024 there are 182";
}

// 3,000 records: the table finds each and nothing else.
TEST(Dispatcher, ManyRecords) {
  std::vector<Record> records;
  for (int i = 0; i < 3000; ++i) {
    Problem p = problem(i % 50, 1 + i / 50 % 6);
    p.n = 64 * (1 + i / 300);
    records.push_back(fictional::record("d0", p, 8 << i % 4));
  }
  const Dispatcher dispatcher(only(committed(), records), device());
  for (const Record& record : records) {
    EXPECT_EQ(picked(dispatcher.pick(record.problem)), record.config.back().second);
  }
  EXPECT_EQ(picked(dispatcher.pick(problem(1, 7))), 0);
}

}  // namespace
}  // namespace loratune
