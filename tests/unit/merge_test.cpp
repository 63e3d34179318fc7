// Merging is a union with one rule for each clash, so it must not matter who comes first. Files
// are made at random from few devices, problems and ranges, so that they clash often.
#include "tuner/merge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "fictional.h"
#include "loratune/dispatch/device_match.h"
#include "tuner/random.h"

namespace loratune {
namespace {

TunedFile merge(const std::vector<TunedFile>& files) {
  std::string why;
  auto merged = merge_tuned_files(files, why);
  EXPECT_TRUE(merged) << why;
  return merged.value_or(TunedFile{});
}

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}
  int roll(int sides) { return static_cast<int>(random_.below(static_cast<std::uint64_t>(sides))); }

 private:
  Random random_;
};

TunedDevice device(int which) {
  TunedDevice device = tuned_device(fictional::device());
  device.driver = std::to_string(which);
  return device;
}

TunedFile random_file(std::uint64_t seed) {
  Dice dice(seed);
  TunedFile file;
  file.tool = {"lora-bench", "0.1.0", std::to_string(dice.roll(3))};
  const int shift = dice.roll(3);
  file.devices["d0"] = device(shift);
  file.devices["here"] = device((shift + 1) % 3);
  file.kernels["naive"] = {std::string(64, '0'), 1};
  for (int i = 0; i < 12; ++i) {
    Record record = fictional::record(dice.roll(2) == 0 ? "d0" : "here",
                                      fictional::problem(1 + dice.roll(4)), 1 << dice.roll(4));
    record.mode = static_cast<Mode>(dice.roll(3));
    record.speedup_lo = 1 + 0.25 * dice.roll(3);
    record.speedup = record.speedup_hi = 2;
    record.rounds = 20 * (1 + dice.roll(2));
    record.time_ns = 1000 + dice.roll(1000);
    const bool taken = std::any_of(file.records.begin(), file.records.end(), [&](const Record& r) {
      return !file_order(r, record) && !file_order(record, r);
    });
    if (!taken) file.records.push_back(record);
  }
  const auto range = [&dice](std::int64_t most) {
    const int lo = dice.roll(static_cast<int>(most));
    return Range{1 + lo, 1 + lo + dice.roll(static_cast<int>(most - lo))};
  };
  for (int i = 0; i < 12; ++i) {
    Rule rule =
        fictional::rule(dice.roll(2) == 0 ? "d0" : "here", range(4), range(4), 1 << dice.roll(2));
    rule.k = range(3);
    rule.n = range(3);
    rule.kind.accumulate = dice.roll(2) == 0;
    if (dice.roll(2) == 0) rule.kind.adapters = 8;
    rule.regret_bound = 0.01 * dice.roll(3);
    const bool taken = std::any_of(file.rules.begin(), file.rules.end(),
                                   [&](const Rule& r) { return overlap(r, rule); });
    if (!taken) file.rules.push_back(rule);
  }
  EXPECT_TRUE(parse_tuned_file(serialize(file)).file) << parse_tuned_file(serialize(file)).error;
  return file;
}

// A file as an earlier build may have written it, with an alignment that is the element's own.
TEST(MergeTunedFiles, KeepsTheStrongerRecordWhereTheOtherStatesTheElementsOwnAlignment) {
  TunedFile plain;
  plain.tool = {"lora-bench", "0.1.0", "0123456789ab"};
  plain.devices["d0"] = device(0);
  plain.kernels["naive"] = {std::string(64, '0'), 1};
  plain.records = {fictional::record("d0", fictional::problem(), 8)};
  TunedFile stated = plain;
  stated.records[0].problem.align = 2;
  stated.records[0].speedup_lo = 1.64;
  const auto read = parse_tuned_file(serialize(stated));
  ASSERT_TRUE(read.file) << read.error;
  const TunedFile both = merge({plain, *read.file});
  ASSERT_EQ(both.records.size(), 1U);
  EXPECT_EQ(both.records[0].problem, fictional::problem());
  EXPECT_EQ(both.records[0].speedup_lo, 1.64);
}

constexpr int kTrials = 100;

TEST(MergeTunedFiles, IsCommutative) {
  for (std::uint64_t seed = 0; seed < kTrials; ++seed) {
    const TunedFile a = random_file(3 * seed);
    const TunedFile b = random_file(3 * seed + 1);
    ASSERT_EQ(serialize(merge({a, b})), serialize(merge({b, a}))) << seed;
  }
}

TEST(MergeTunedFiles, IsAssociative) {
  for (std::uint64_t seed = 0; seed < kTrials; ++seed) {
    const TunedFile a = random_file(3 * seed);
    const TunedFile b = random_file(3 * seed + 1);
    const TunedFile c = random_file(3 * seed + 2);
    const std::string at_once = serialize(merge({a, b, c}));
    ASSERT_EQ(serialize(merge({merge({a, b}), c})), at_once) << seed;
    ASSERT_EQ(serialize(merge({a, merge({b, c})})), at_once) << seed;
  }
}

TEST(MergeTunedFiles, IsIdempotent) {
  for (std::uint64_t seed = 0; seed < kTrials; ++seed) {
    const TunedFile a = random_file(2 * seed);
    const std::string once = serialize(merge({a}));
    ASSERT_EQ(serialize(merge({a, a})), once) << seed;
    ASSERT_EQ(serialize(merge({merge({a}), a})), once) << seed;
    const TunedFile both = merge({a, random_file(2 * seed + 1)});
    ASSERT_EQ(serialize(merge({both, a})), serialize(both)) << seed;
  }
}

// A record with its device in place of an id.
struct Known {
  TunedDevice device;
  Record record;
};

std::vector<Known> known(const std::vector<TunedFile>& files) {
  std::vector<Known> all;
  for (const TunedFile& file : files) {
    for (Record record : file.records) {
      const TunedDevice& of = file.devices.at(record.device);
      record.device = "";
      all.push_back({of, record});
    }
  }
  return all;
}

TEST(MergeTunedFiles, KeepsOfEachProblemTheWholeRecordOfTheHighestLowerBound) {
  for (std::uint64_t seed = 0; seed < kTrials; ++seed) {
    const std::vector<TunedFile> files = {random_file(2 * seed), random_file(2 * seed + 1)};
    const auto before = known(files);
    const auto after = known({merge(files)});
    for (const Known& was : before) {
      // Of the same problem, or of those that must have the same choice the strongest.
      std::pair<double, int> now = {0, 0};
      for (const Known& any : after) {
        if (any.device != was.device || family_of(any.record) != family_of(was.record)) continue;
        now = std::max(now, std::pair(any.record.speedup_lo, any.record.rounds));
      }
      ASSERT_GE(now, std::pair(was.record.speedup_lo, was.record.rounds)) << seed;
    }
    for (const Known& now : after) {
      ASSERT_TRUE(std::any_of(before.begin(), before.end(), [&](const Known& was) {
        return was.device == now.device && was.record == now.record;
      })) << seed;
    }
  }
}

TEST(MergeTunedFiles, KeepsTheRecordsTogetherThatMustHaveOneChoice) {
  std::size_t several = 0;
  for (std::uint64_t seed = 0; seed < kTrials; ++seed) {
    const std::vector<TunedFile> files = {random_file(2 * seed), random_file(2 * seed + 1)};
    const TunedFile merged = merge(files);
    for (const Record& one : merged.records) {
      for (const Record& other : merged.records) {
        if (family_of(one) != family_of(other) || one.problem == other.problem) continue;
        ++several;
        ASSERT_EQ(one.mode, Mode::batch_invariant);
        ASSERT_EQ(one.config, other.config) << seed;
        const TunedDevice& of = merged.devices.at(one.device);
        ASSERT_TRUE(std::any_of(
            files.begin(), files.end(),
            [&](const TunedFile& file) {
              const auto holds = [&](Record wanted) {
                return std::any_of(
                    file.records.begin(), file.records.end(), [&](const Record& record) {
                      wanted.device = record.device;
                      return record == wanted && file.devices.at(record.device) == of;
                    });
              };
              return holds(one) && holds(other);
            }))
            << seed << ": of two files";
      }
    }
  }
  EXPECT_GT(several, 20U) << "nothing was shown";
}

// The rule that holds for a shape, its ranges left empty; nothing where there is none.
std::optional<Rule> rule_at(const TunedFile& file, const TunedDevice& device, const Kind& kind,
                            const std::array<std::int64_t, 4>& at) {
  for (Rule rule : file.rules) {
    if (file.devices.at(rule.device) != device || rule.kind != kind) continue;
    const std::array<Range, 4> ranges = {rule.rank, rule.m, rule.k, rule.n};
    bool inside = true;
    for (std::size_t i = 0; i < 4; ++i) {
      inside = inside && ranges[i].lo <= at[i] && at[i] <= ranges[i].hi;
    }
    if (!inside) continue;
    rule.rank = rule.m = rule.k = rule.n = {};
    rule.device = "";
    return rule;
  }
  return std::nullopt;
}

TEST(MergeTunedFiles, GivesEachShapeTheRuleOfTheLowerRegretBound) {
  std::size_t clashes = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const TunedFile a = random_file(2 * seed);
    const TunedFile b = random_file(2 * seed + 1);
    const TunedFile merged = merge({a, b});
    for (int point = 0; point < 3 * 2 * 4 * 4 * 3 * 3 * 2; ++point) {
      const TunedDevice of = device(point % 3);
      Kind kind;
      kind.types = Dtype::f16;
      kind.accumulate = point / 3 % 2 == 0;
      kind.adapters = point / 864 == 0 ? 0 : 8;
      const std::array<std::int64_t, 4> at = {1 + point / 6 % 4, 1 + point / 24 % 4,
                                              1 + point / 96 % 3, 1 + point / 288 % 3};
      const auto mine = rule_at(a, of, kind, at);
      const auto theirs = rule_at(b, of, kind, at);
      const auto got = rule_at(merged, of, kind, at);
      ASSERT_EQ(got.has_value(), mine || theirs) << seed;
      if (!got) continue;
      ASSERT_TRUE(got == mine || got == theirs) << seed;
      if (!mine || !theirs) continue;
      ++clashes;
      ASSERT_EQ(got->regret_bound, std::min(mine->regret_bound, theirs->regret_bound)) << seed;
    }
  }
  EXPECT_GT(clashes, 100U) << "the files hardly clash: nothing was shown";
}

TEST(MergeTunedFiles, DoesNotCrownTheShortestTimeEverSeen) {
  TunedFile lucky = fictional::file();
  lucky.records = {fictional::record("d0", fictional::problem(), 8)};
  TunedFile proven = lucky;
  lucky.records[0].time_ns = 1;
  lucky.records[0].speedup = lucky.records[0].speedup_hi = 100;
  lucky.records[0].speedup_lo = 1.02;
  const TunedFile merged = merge({lucky, proven});
  ASSERT_EQ(merged.records.size(), 1U);
  EXPECT_EQ(merged.records[0].time_ns, proven.records[0].time_ns);
}

TEST(MergeTunedFiles, PutsDevicesThatDifferInTheDriverAloneSideBySide) {
  TunedFile a;
  a.devices["d0"] = device(1);
  a.kernels["naive"] = {std::string(64, '0'), 1};
  a.records = {fictional::record("d0", fictional::problem(), 8)};
  TunedFile b = a;
  b.devices["d0"] = device(2);
  EXPECT_EQ(merge({a, b}).devices.size(), 2U);
  EXPECT_EQ(merge({a, b}).records.size(), 2U);
  b.devices["d0"] = device(1);
  EXPECT_EQ(merge({a, b}).records.size(), 1U);
}

// A device of which so little is known does not match itself.
TEST(MergeTunedFiles, KeepsADeviceWithoutAModel) {
  TunedFile file = random_file(1);
  for (auto& [id, device] : file.devices) {
    device.name = "GPU of driver " + std::string(id == "d0" ? "one" : "two");
    device.device_version.clear();
    device.architecture.clear();
    ASSERT_EQ(match_device(device, device), DeviceMatch::none);
  }
  const TunedFile merged = merge({file, file});
  EXPECT_EQ(merged.devices.size(), 2U);
  EXPECT_EQ(merged.records.size(), merge({random_file(1)}).records.size());
  for (const Record& record : merged.records) EXPECT_TRUE(merged.devices.contains(record.device));
}

TEST(MergeTunedFiles, KeepsTheRulesOfARealFile) {
  const TunedFile file =
      load_tuned_file(LORATUNE_SOURCE_DIR "/results/tuned/pocl-epyc-2-cores.json").file.value();
  ASSERT_FALSE(file.rules.empty());
  const TunedFile merged = merge({file});
  EXPECT_EQ(merged.records, file.records);
  EXPECT_LE(merged.rules.size(), 2 * file.rules.size());
  for (const Rule& rule : file.rules) {
    const std::array<std::int64_t, 4> at = {rule.rank.hi, rule.m.lo, rule.k.hi, rule.n.lo};
    const auto& of = file.devices.at(rule.device);
    EXPECT_EQ(rule_at(merged, of, rule.kind, at), rule_at(file, of, rule.kind, at));
  }
}

TEST(MergeTunedFiles, RefusesTwoSourcesOfOneKernel) {
  const TunedFile a = fictional::file();
  TunedFile b = a;
  b.kernels["tiled"].revision = 2;
  std::string why;
  EXPECT_FALSE(merge_tuned_files(std::vector{a, b}, why));
  EXPECT_NE(why.find("'tiled'"), std::string::npos) << why;
}

TEST(MergeTunedFiles, RefusesWhatNoFileMayHold) {
  TunedFile a = fictional::file();
  a.records[0].speedup_lo = -1;
  std::string why;
  EXPECT_FALSE(merge_tuned_files(std::vector{a}, why));
  EXPECT_NE(why.find("speedup_ci"), std::string::npos) << why;
}

TEST(MergeTunedFiles, OfNothingIsAnEmptyFile) {
  EXPECT_EQ(merge({}).records.size(), 0U);
  EXPECT_EQ(serialize(merge({TunedFile{}, fictional::file()})),
            serialize(merge({fictional::file()})));
}

}  // namespace
}  // namespace loratune
