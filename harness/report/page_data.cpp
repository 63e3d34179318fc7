#include "harness/report/page_data.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "dispatch/internal/printable.h"
#include "harness/base/device_json.h"
#include "harness/base/failure.h"
#include "harness/base/tool_info.h"
#include "harness/gate/report.h"
#include "harness/report/catalogue.h"
#include "harness/report/figures.h"
#include "harness/sweep/output.h"
#include "harness/sweep/replay.h"

namespace loratune {
namespace {

using nlohmann::json;

std::string words_of(const ToolInfo& tool) {
  return tool.name + " " + tool.version + ", commit " + tool.commit;
}

std::string config_text(const NamedConfig& config) {
  std::string text;
  for (const auto& [name, value] : config) {
    text += (text.empty() ? "" : " ") + name + "=" + std::to_string(value);
  }
  return text;
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

json range_json(const Range& range) { return {range.lo, range.hi}; }

// Lists of the page's document, filled input by input.
class Document {
 public:
  void add(const Input& input) {
    source_ = sources_.size();
    path_ = input.path;
    sources_.push_back({{"path", input.path}});
    std::visit([&](const auto& content) { add_content(content); }, input.content);
  }

  json finish() && {
    return {{"tool", words_of(tool_info())},
            {"sources", sources_},
            {"devices", catalogue_.devices()},
            {"problems", catalogue_.problems()},
            {"records", records_},
            {"rules", rules_},
            {"times", times_},
            {"ceilings", ceilings_},
            {"recorded", recorded_},
            {"progress", progress_},
            {"gates", gates_}};
  }

 private:
  json& source() { return sources_[source_]; }
  void describe(const char* kind, const std::string& made_by) {
    source()["kind"] = kind;
    source()["made_by"] = made_by;
  }

  void add_content(const TunedFile& file) {
    describe("tuned file", words_of(file.tool));
    add_tuned(file);
    const auto stale =
        std::count_if(file.records.begin(), file.records.end(), [&](const Record& r) {
          const Variant* variant = find_variant(r.variant);
          const KernelInfo& kernel = file.kernels.at(r.variant);
          return variant == nullptr || kernel.source_sha256 != variant->source_sha256 ||
                 kernel.revision != variant->revision;
        });
    if (stale > 0) {
      source()["note"] = std::to_string(stale) + " of its " + std::to_string(file.records.size()) +
                         " records are of kernels that this build has not: it passes them over";
    }
  }

  void add_tuned(const TunedFile& file) {
    std::map<std::string, std::vector<const Record*>> by_device;
    for (const Record& record : file.records) by_device[record.device].push_back(&record);
    std::map<std::string, std::size_t> numbers;
    for (const auto& [id, device] : file.devices) {
      numbers[id] = catalogue_.device(report_device(device), by_device[id], file_name(path_));
    }
    std::vector<Record> records = file.records;
    std::stable_sort(records.begin(), records.end(), file_order);
    for (const Record& record : records) {
      const std::size_t device = numbers.at(record.device);
      if (catalogue_.add(device, record)) add_record(record, device);
    }
    for (const Rule& rule : file.rules) add_rule(rule, numbers.at(rule.device));
  }

  void add_record(const Record& record, std::size_t device) {
    records_.push_back({{"source", source_},
                        {"device", device},
                        {"problem", catalogue_.problem(record.problem)},
                        {"mode", to_string(record.mode)},
                        {"variant", record.variant},
                        {"config", config_text(record.config)},
                        {"time_ns", record.time_ns},
                        {"default_ns", record.default_ns},
                        {"speedup", six_digits(record.speedup)},
                        {"low", six_digits(record.speedup_lo)},
                        {"high", six_digits(record.speedup_hi)},
                        {"level", six_digits(record.level)},
                        {"rounds", record.rounds},
                        {"seen", six_digits(record.seen)},
                        {"reason", record.reason}});
  }

  void add_rule(const Rule& rule, std::size_t device) {
    // The smallest problem that the rule holds for says what the rule is of beside its ranges.
    const Problem corner =
        make_problem(rule.kind, rule.m.lo, rule.k.lo, rule.n.lo, static_cast<int>(rule.rank.lo));
    rules_.push_back({{"source", source_},
                      {"device", device},
                      {"mode", to_string(rule.mode)},
                      {"problem", catalogue_.problem(corner)},
                      {"m", range_json(rule.m)},
                      {"k", range_json(rule.k)},
                      {"n", range_json(rule.n)},
                      {"rank", range_json(rule.rank)},
                      {"variant", rule.variant},
                      {"config", config_text(rule.config)},
                      {"regret", six_digits(rule.regret_bound)}});
  }

  void add_content(const JournalContent& journal) {
    describe("journal", "");
    std::size_t device = 0;
    try {
      const json& tool = journal.header.at("tool");
      source()["made_by"] = words_of({tool.at("name"), tool.at("version"), tool.at("commit")});
      device = catalogue_.device(
          report_device(tuned_device(device_from_json(journal.header.at("device")))));
    } catch (const json::exception& error) {
      throw Failure(kExitUsage,
                    "journal '" + printable(path_, 200) + "': " + printable(error.what(), 200));
    }
    add_replayed(journal);
    if (!journal.damage.empty()) source()["note"] = journal.damage;
    for (json& one : search_progress(journal, catalogue_)) {
      one["device"] = device;
      one["source"] = source_;
      progress_.push_back(std::move(one));
    }
  }

  // What the sweep came to, where this build has the kernels that the sweep had.
  void add_replayed(const JournalContent& journal) {
    try {
      for (const SweepResult& sweep : replay_journals({&journal, 1})) {
        add_tuned(make_tuned_file(sweep.decided, sweep.setup.options.mode, sweep.setup.device,
                                  tool_info()));
        if (!sweep.whole) source()["note"] = "the journal ends before its sweep does";
      }
    } catch (const Failure& failure) {
      source()["note"] = "this build cannot make records of it: " + printable(failure.what(), 300);
    }
  }

  void add_content(const Recording& recording) {
    describe("recording", "");
    const std::size_t device = catalogue_.device(report_device(tuned_device(recording.device)));
    for (json& one : parameter_costs(recording, catalogue_)) {
      one["device"] = device;
      one["source"] = source_;
      recorded_.push_back(std::move(one));
    }
  }

  void add_content(const BenchFile& file) {
    describe("benchmark", file.library.empty() ? "lora-bench" : file.library);
    if (!file.date.empty()) source()["date"] = file.date;
    if (file.failed > 0) {
      source()["note"] = "without a time: " + std::to_string(file.failed) + " of its benchmarks";
    }
    const std::size_t device = catalogue_.device(report_device(file.device, file.driver));
    if (file.floor_ns > 0 || file.copy_gbps > 0 || file.peak_gflops > 0) {
      ceilings_.push_back({{"source", source_},
                           {"device", device},
                           {"floor_ns", file.floor_ns},
                           {"copy_gbps", file.copy_gbps},
                           {"cache_gbps", file.cache_gbps},
                           {"peak_gflops", file.peak_gflops}});
    }
    for (const BenchTime& time : file.times) {
      json one = {{"source", source_},
                  {"device", device},
                  {"problem", catalogue_.problem(time.problem)},
                  {"rival", time.rival},
                  {"label", time.label},
                  {"time_ns", six_digits(time.wall_ns)},
                  {"rounds", time.rounds}};
      const auto add = [&](const char* name, double value) {
        if (value > 0) one[name] = six_digits(value);
      };
      const bool ours =
          time.rival == "tuned" || time.rival == "default" || find_variant(time.rival) != nullptr;
      if (ours) one["ours"] = true;
      add("vs_default", time.vs_default);
      add("low", time.vs_default_lo);
      add("high", time.vs_default_hi);
      // The bandwidth that the device shows on so many bytes.
      if (time.share_of_copy > 0) add("roof_gbps", time.gbps / time.share_of_copy);
      times_.push_back(std::move(one));
    }
  }

  void add_content(const GateResult& result) {
    describe("gate", words_of(result.tool));
    const std::size_t device = catalogue_.device(report_device(tuned_device(result.device)));
    const GateReport report = judge(result);
    json rows = json::array();
    const auto add_rows = [&](const std::vector<GateRow>& list, bool sentinel) {
      for (const GateRow& row : list) rows.push_back(gate_row(row, sentinel));
    };
    add_rows(report.rows, false);
    add_rows(report.sentinels, true);
    gates_.push_back({{"source", source_},
                      {"device", device},
                      {"verdict", report.verdict},
                      {"exit", static_cast<int>(report.exit)},
                      {"summary", report.summary},
                      {"base", result.base_path},
                      {"against", result.against_path},
                      {"base_tool", words_of(result.base_tool)},
                      {"candidate_tool", words_of(result.candidate_tool)},
                      {"worse", result.rules.worse},
                      {"rows", rows}});
  }

  json gate_row(const GateRow& row, bool sentinel) {
    json one = {{"name", row.name}, {"verdict", to_string(row.verdict)}, {"note", row.note}};
    if (sentinel) one["sentinel"] = true;
    const std::size_t slash = row.name.find('/');
    std::string why;
    if (slash != std::string::npos && !sentinel) {
      const auto problem = parse_problem(row.name.substr(slash + 1), why);
      one["of"] = row.name.substr(0, slash);
      if (problem) one["problem"] = catalogue_.problem(*problem);
    }
    if (row.rounds == 0) return one;
    one["rounds"] = row.rounds;
    one["void_rounds"] = row.void_rounds;
    one["ratio"] = six_digits(row.ratio);
    one["low"] = six_digits(row.ratio_low);
    one["high"] = six_digits(row.ratio_high);
    one["detectable"] = six_digits(row.detectable);
    one["base_ns"] = six_digits(row.base_ns);
    one["candidate_ns"] = six_digits(row.candidate_ns);
    return one;
  }

  Catalogue catalogue_;
  std::size_t source_ = 0;
  std::string path_;
  json sources_ = json::array(), records_ = json::array(), rules_ = json::array(),
       times_ = json::array(), ceilings_ = json::array(), recorded_ = json::array(),
       progress_ = json::array(), gates_ = json::array();
};

}  // namespace

json page_data(std::span<const Input> inputs) {
  Document document;
  for (const Input& input : inputs) document.add(input);
  return std::move(document).finish();
}

}  // namespace loratune
