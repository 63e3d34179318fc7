// A tuned file: read, written again, merged with itself, and asked what to run.
#include "loratune/dispatch/tuned_file.h"

#include "fuzz.h"
#include "loratune/dispatch/dispatcher.h"
#include "tuned_device.h"
#include "tuner/merge.h"
#include "unit/fictional.h"

namespace loratune::fuzz {
namespace {

std::vector<Problem> problems_of(const TunedFile& file) {
  constexpr std::size_t kMost = 8;
  std::vector<Problem> problems = {fictional::problem()};
  for (const Record& record : file.records) {
    if (problems.size() < kMost) problems.push_back(record.problem);
  }
  for (const Rule& rule : file.rules) {
    if (problems.size() >= 2 * kMost) break;
    problems.push_back(
        make_problem(rule.kind, rule.m.lo, rule.k.lo, rule.n.hi, static_cast<int>(rule.rank.hi)));
  }
  return problems;
}

void pick_from(const TunedFile& file, const DeviceInfo& device) {
  const Dispatcher dispatcher(file, device);
  for (const Problem& problem : problems_of(file)) {
    for (const Mode mode : {Mode::fast, Mode::deterministic, Mode::batch_invariant}) {
      const Choice choice = dispatcher.pick(problem, mode);
      if (choice.variant == nullptr) {
        expect(nothing_takes(problem, device), "a problem that a variant takes has a choice");
        continue;
      }
      expect(invalid_reason(choice.variant->plan(problem, choice.config, device)).empty(),
             "a pick can run");
    }
    expect_printable(dispatcher.explain(problem));
  }
}

}  // namespace

bool read_and_use(std::string_view bytes) {
  const ParsedTunedFile parsed = parse_tuned_file(bytes);
  if (!parsed.file) {
    expect_printable(parsed.error);
    return false;
  }
  const std::string written = serialize(*parsed.file);
  const ParsedTunedFile again = parse_tuned_file(written);
  expect(again.file.has_value(), "what was written is read");
  expect(serialize(*again.file) == written, "what was read is written to the byte");
  pick_from(*parsed.file, fictional::device());
  for (const auto& [id, device] : parsed.file->devices) {
    pick_from(*parsed.file, device_of(device));
    break;
  }
  std::string why;
  const std::vector<TunedFile> twice = {*parsed.file, *parsed.file};
  if (!merge_tuned_files(twice, why)) expect_printable(why);
  return true;
}

std::vector<std::string> sound_inputs() {
  TunedFile small = fictional::file();
  small.records.resize(2);
  small.rules.resize(1);
  for (const char* unused : {"d2", "d3", "d4"}) small.devices.erase(unused);
  TunedFile axes = small;
  axes.records[0].problem.slices = *parse_slices("512+256+256");
  axes.records[1].problem.weights = Dtype::bf16;
  axes.records[1].problem.adapters = 8;
  axes.rules[0].kind.types = {Dtype::bf16, Dtype::f32};
  axes.rules[0].kind.dora = true;
  std::string first = serialize(small);
  first.replace(first.rfind("\"version\":2"), 11, "\"version\":1");
  return {serialize(small), first, serialize(axes), serialize(fictional::file())};
}

}  // namespace loratune::fuzz
