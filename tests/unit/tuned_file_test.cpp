#include "loratune/dispatch/tuned_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <clocale>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "unit/fictional.h"
#include "unit/temporary_folder.h"

namespace loratune {
namespace {

using nlohmann::json;

std::string error_of(const std::string& bytes) {
  const ParsedTunedFile parsed = parse_tuned_file(bytes);
  EXPECT_EQ(parsed.file.has_value(), parsed.error.empty());
  for (const char c : parsed.error) {
    EXPECT_TRUE(c >= ' ' && c < 0x7f) << "unprintable byte in: " << parsed.error;
  }
  EXPECT_LT(parsed.error.size(), 500U);
  return parsed.error;
}

// The committed file; LORATUNE_APPROVE=1 in the environment of this test writes it anew.
TEST(TunedFile, GoldenFileIsWhatTheSerializerWrites) {
  const std::string bytes = serialize(fictional::file());
  if (std::getenv("LORATUNE_APPROVE") != nullptr) {
    ASSERT_EQ(write_tuned_file(fictional::path(), fictional::file()), "");
  }
  EXPECT_EQ(read_bytes(fictional::path()), bytes);
}

TEST(TunedFile, RoundTrip) {
  const std::string bytes = serialize(fictional::file());
  const ParsedTunedFile parsed = parse_tuned_file(bytes);
  ASSERT_TRUE(parsed.file) << parsed.error;
  EXPECT_EQ(serialize(*parsed.file), bytes);
  EXPECT_EQ(parsed.file->devices, fictional::file().devices);
  EXPECT_EQ(parsed.file->kernels, fictional::file().kernels);
  EXPECT_EQ(parsed.file->rules.size(), 3U);
  // Rounding to six digits is the only loss.
  Record expected = fictional::record("d0", fictional::problem(), 8);
  expected.seen = 0.333333;
  EXPECT_EQ(parsed.file->records.at(0), expected);
}

TEST(TunedFile, OrderOfEntriesDoesNotShow) {
  TunedFile file = fictional::file();
  std::reverse(file.records.begin(), file.records.end());
  std::reverse(file.rules.begin(), file.rules.end());
  EXPECT_EQ(serialize(file), serialize(fictional::file()));
  file.records[0].time_ns += 1;
  EXPECT_NE(serialize(file), serialize(fictional::file()));
}

TEST(TunedFile, OneLineARecordAndSortedKeys) {
  const std::string bytes = serialize(fictional::file());
  EXPECT_EQ(json::parse(bytes).dump().size() +
                static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), '\n')),
            bytes.size());
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = bytes.find("\n{\"clock\":", at)) != std::string::npos; ++at)
    ++lines;
  EXPECT_EQ(lines, fictional::file().records.size());
  EXPECT_TRUE(bytes.ends_with("}\n"));
}

TEST(TunedFile, FractionsSettleAfterOneRounding) {
  TunedFile file = fictional::file();
  for (const double value : {1.0, 1e-6, 1e6, 999999.5, 123456.789, 1.0000005, 2.0 / 3, 1e5, 0.1}) {
    file.records[0].speedup = value;
    const std::string bytes = serialize(file);
    const ParsedTunedFile parsed = parse_tuned_file(bytes);
    ASSERT_TRUE(parsed.file) << parsed.error;
    EXPECT_EQ(serialize(*parsed.file), bytes) << value;
    EXPECT_NEAR(parsed.file->records[0].speedup, value, 1e-5 * value);
  }
}

TEST(TunedFile, TheLocaleDoesNotShow) {
  const std::string bytes = serialize(fictional::file());
  const char* found = nullptr;
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"}) {
    if (found == nullptr) found = std::setlocale(LC_ALL, name);
  }
  if (found == nullptr) GTEST_SKIP() << "no locale with a decimal comma is installed";
  const std::string there = serialize(fictional::file());
  const ParsedTunedFile parsed = parse_tuned_file(bytes);
  std::setlocale(LC_ALL, "C");
  EXPECT_EQ(there, bytes);
  ASSERT_TRUE(parsed.file);
  EXPECT_EQ(parsed.file->records[0].speedup, 1.65);
}

TEST(TunedFile, DeviceTextIsMadeFit) {
  DeviceInfo device = fictional::device();
  device.name = "bad\xff\xc0\x80name" + std::string(5000, 'x');
  device.vendor = std::string(300, 'v');
  device.platform.clear();
  for (int i = 0; i < 300; ++i) device.platform += "\xe2\x82\xac";
  device.extensions = {"b", "", "a"};
  const TunedDevice tuned = tuned_device(device);
  EXPECT_EQ(tuned.extensions, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(tuned.vendor.size(), 256U);
  EXPECT_EQ(tuned.platform.size(), 3 * 256U);
  TunedFile file = fictional::file();
  file.devices["d0"] = tuned;
  const ParsedTunedFile parsed = parse_tuned_file(serialize(file));
  ASSERT_TRUE(parsed.file) << parsed.error;
  EXPECT_EQ(parsed.file->devices.at("d0"), tuned);
}

// Counted from 1, whatever member the fault is in, and behind the mark that some editors begin
// with.
TEST(TunedFile, AnErrorNamesTheByteOfTheFile) {
  const std::string good = serialize(fictional::file());
  const auto is_named = [](std::string bytes, std::size_t at) {
    bytes.insert(at, ",");
    for (const std::string mark : {"", "\xef\xbb\xbf"}) {
      const std::string error = error_of(mark + bytes);
      const std::string wanted = "at byte " + std::to_string(mark.size() + at + 1) + ",";
      EXPECT_NE(error.find(wanted), std::string::npos) << error << ", not " << wanted;
    }
  };
  std::size_t commas = 0;  // each is the fault where it is the second of two
  for (std::size_t at = 0; (at = good.find("},\n", at)) != std::string::npos; ++at, ++commas) {
    is_named(good, at + 2);
  }
  EXPECT_GT(commas, 15U);
  is_named(good, good.find("\"naive\":") + 8);
  is_named(good, good.find("[16,256]") + 4);
}

// One document a row: the committed file with the value at `pointer` (or a new member there)
// replaced by raw text.
struct Document {
  std::string pointer, raw;
  bool schema_accepts, we_accept;
};

std::string text_of(const Document& document) {
  static const json kBase = json::parse(serialize(fictional::file()));
  json changed = kBase;
  changed[json::json_pointer(document.pointer)] = "@@";
  std::string text = changed.dump();
  return text.replace(text.find("\"@@\""), 4, document.raw);
}

std::vector<Document> documents() {
  const auto good = [](std::string pointer, std::string raw) {
    return Document{std::move(pointer), std::move(raw), true, true};
  };
  const auto bad = [](std::string pointer, std::string raw) {
    return Document{std::move(pointer), std::move(raw), false, false};
  };
  // Wrong in a way that a schema cannot say.
  const auto subtle = [](std::string pointer, std::string raw) {
    return Document{std::move(pointer), std::move(raw), true, false};
  };
  const std::string long_e = [] {
    std::string text;
    for (int i = 0; i < 256; ++i) text += "\u00e9";
    return text;
  }();
  std::vector<Document> all = {
      good("/version", "2"),
      good("/version", "2.0"),
      bad("/version", "0"),
      bad("/version", "3"),
      bad("/version", "true"),
      bad("/version", "\"1\""),
      bad("/schema", "\"loratune/plans\""),
      bad("/schema", "1"),
      bad("/extra", "1"),
      bad("/tool/extra", "1"),
      bad("/tool", "[]"),
      bad("/tool/name", "null"),
      good("/tool/name", "\"\""),
      good("/records", "[]"),
      bad("/records", "{}"),
      bad("/records", "[[]]"),
      bad("/records", "[null]"),
      good("/rules", "[]"),
      bad("/rules", "1"),
      bad("/devices", "[]"),
      bad("/devices/D0", "{}"),
      bad("/devices/d0", "{}"),
      bad("/devices/d0~1..~1x", "{}"),
      bad("/kernels/naive", "{}"),
      good("/devices/d0/name", "\"" + long_e + "\""),
      bad("/devices/d0/name", "\"" + long_e + "e\""),
      bad("/devices/d0/name", "7"),
      bad("/devices/d0/name", "\"\xff\""),
      bad("/devices/d0/name", "\"\xed\xa0\x80\""),
      bad("/devices/d0/name", "\"\xc0\x80\""),
      good("/devices/d0/name", "\"\\u0000\""),
      bad("/devices/d0/type", "\"gpu\""),
      good("/devices/d0/vendor_id", "4294967295"),
      bad("/devices/d0/vendor_id", "4294967296"),
      bad("/devices/d0/vendor_id", "-1"),
      bad("/devices/d0/compute_units", "0"),
      bad("/devices/d0/compute_units", "2147483648"),
      good("/devices/d0/local_mem_bytes", "0"),
      bad("/devices/d0/local_mem_bytes", "9007199254740993"),
      good("/devices/d0/extensions", "[]"),
      bad("/devices/d0/extensions", "[\"\"]"),
      bad("/devices/d0/extensions", "\"a b\""),
      bad("/devices/d0/extensions", "[1]"),
      bad("/kernels/naive/source_sha256", "\"" + std::string(63, '0') + "\""),
      bad("/kernels/naive/source_sha256", "\"" + std::string(64, 'A') + "\""),
      bad("/kernels/naive/source_sha256", "\"" + std::string(64, '0') + "\\n\""),
      good("/devices/d0/architecture", "\"sm_90\""),
      bad("/devices/d0/architecture", "\"\""),
      bad("/devices/d0/architecture", "90"),
      bad("/devices/d0/device_version", "\"\""),
      bad("/devices/d0/device_version", "\"" + long_e + "e\""),
      good("/devices/d0/usable_cpus", "1.5"),
      bad("/devices/d0/usable_cpus", "0"),
      bad("/devices/d0/usable_cpus", "true"),
      good("/devices/d0/sub_group_size", "1"),
      bad("/devices/d0/sub_group_size", "0"),
      bad("/devices/d0/sub_group_size", "\"32\""),
      good("/kernels/naive/source_sha256", "\"" + std::string(64, 'a') + "\""),
      bad("/kernels/naive/revision", "-1"),
      bad("/kernels/na-ive", "{}"),
      bad("/records/0/device", "\"d0\\n\""),
      bad("/records/0/device", "\"\""),
      subtle("/records/0/device", "\"d7\""),
      subtle("/records/0/variant", "\"absent\""),
      bad("/records/0/variant", "\"../naive\""),
      bad("/records/0/variant", "\"-DX=1\""),
      bad("/records/0/mode", "\"slow\""),
      bad("/records/0/mode", "0"),
      bad("/records/0/source", "\"__kernel void f() {}\""),
      good("/records/0/config", "{}"),
      good("/records/0/config", "{\"FUTURE_9\":-2147483648}"),
      bad("/records/0/config", "{\"X\":2147483648}"),
      bad("/records/0/config", "{\"x\":1}"),
      bad("/records/0/config", "{\"\":1}"),
      bad("/records/0/config", "{\"1X\":1}"),
      bad("/records/0/config", "{\"X Y\":1}"),
      bad("/records/0/config", "{\"X=1 -DY\":1}"),
      bad("/records/0/config", "{\"X\\n\":1}"),
      bad("/records/0/config", "{\"X\":\"1\"}"),
      bad("/records/0/config", "{\"X\":1.5}"),
      bad("/records/0/config", "{\"" + std::string(65, 'X') + "\":1}"),
      good("/records/0/config", "{\"" + std::string(64, 'X') + "\":1}"),
      bad("/records/0/config", "[]"),
      bad("/records/0/problem", "\"fwd_m1\""),
      bad("/records/0/problem/op", "\"bwd\""),
      good("/records/0/problem/m", "0"),
      good("/records/0/problem/m", "2147483647"),
      bad("/records/0/problem/m", "2147483648"),
      bad("/records/0/problem/m", "-1"),
      bad("/records/0/problem/k", "0"),
      bad("/records/0/problem/n", "0"),
      bad("/records/0/problem/rank", "0"),
      bad("/records/0/problem/rank", "1025"),
      good("/records/0/problem/rank", "1024"),
      good("/records/0/problem/dtype", "\"bf16\""),
      bad("/records/0/problem/dtype", "\"f64\""),
      good("/records/0/problem/weights", "\"f32\""),
      good("/records/0/problem/weights", "\"f16\""),
      bad("/records/0/problem/weights", "\"f64\""),
      bad("/records/0/problem/weights", "null"),
      good("/records/0/problem/slices", "[1000,24]"),
      subtle("/records/0/problem/slices", "[1000,25]"),
      bad("/records/0/problem/slices", "[1024]"),
      bad("/records/0/problem/slices", "[]"),
      bad("/records/0/problem/slices", "[1024,0]"),
      bad("/records/0/problem/slices", "[1016,1,1,1,1,1,1,1,1]"),
      bad("/records/0/problem/slices", "\"512+512\""),
      good("/records/0/problem/adapters", "65535"),
      bad("/records/0/problem/adapters", "0"),
      bad("/records/0/problem/adapters", "65536"),
      good("/records/0/problem/dora", "true"),
      good("/records/0/problem/dora", "false"),
      bad("/records/0/problem/dora", "1"),
      good("/rules/0/dtype", "\"bf16\""),
      good("/rules/0/weights", "\"bf16\""),
      subtle("/rules/0/slices", "[256,256]"),
      bad("/rules/0/slices", "[512]"),
      good("/rules/0/adapters", "8"),
      bad("/rules/0/dora", "true"),
      good("/rules/1/dora", "true"),
      bad("/records/0/problem/accumulate", "1"),
      good("/records/0/problem/align", "64"),
      bad("/records/0/problem/align", "3"),
      bad("/records/0/problem/align", "0"),
      bad("/records/0/problem/align", "8192"),
      bad("/records/0/problem/scale", "1"),
      good("/records/0/time_ns", "5.0"),
      good("/records/0/time_ns", "1"),
      good("/records/0/time_ns", "1000000000000000"),
      bad("/records/0/time_ns", "1000000000000001"),
      bad("/records/0/time_ns", "0"),
      bad("/records/0/time_ns", "-1"),
      bad("/records/0/time_ns", "3.9"),
      bad("/records/0/time_ns", "18446744073709551616"),
      bad("/records/0/time_ns", "18446744073709551615"),
      bad("/records/0/time_ns", "1e999"),
      bad("/records/0/time_ns", "NaN"),
      bad("/records/0/time_ns", "Infinity"),
      bad("/records/0/time_ns", "null"),
      bad("/records/0/time_ns", "\"5\""),
      bad("/records/0/time_ns", "true"),
      bad("/records/0/time_ns", "0x10"),
      bad("/records/0/time_ns", "01"),
      bad("/records/0/default_ns", "0"),
      good("/records/0/speedup", "1"),
      bad("/records/0/speedup", "0"),
      bad("/records/0/speedup", "-1.5"),
      bad("/records/0/speedup", "1e999"),
      bad("/records/0/speedup", "NaN"),
      bad("/records/0/speedup", "1000001"),
      bad("/records/0/speedup", "\"1.6\""),
      bad("/records/0/speedup", "false"),
      bad("/records/0/speedup_ci", "[1]"),
      bad("/records/0/speedup_ci", "[1,2,3]"),
      bad("/records/0/speedup_ci", "[1,null]"),
      subtle("/records/0/speedup_ci", "[2,1]"),
      bad("/records/0/level", "1.01"),
      good("/records/0/level", "0"),
      bad("/records/0/rounds", "-1"),
      bad("/records/0/rounds", "2.5"),
      good("/records/0/clock", "\"event\""),
      bad("/records/0/clock", "\"cpu\""),
      bad("/records/0/error_over_bound", "1.2"),
      bad("/records/0/seen", "1.2"),
      bad("/records/0/reason", "\"a b\""),
      bad("/records/0/reason", "\"\\u001b[31m\""),
      good("/records/0/reason", "\"no_significant_gain\""),
      // Record 1 is that of record 0 but for its alignment.
      subtle("/records/1/problem/align", "2"),
      good("/records/1/problem/align", "4"),
      bad("/rules/0/rank", "[0,8]"),
      bad("/rules/0/rank", "[5]"),
      bad("/rules/0/rank", "[5,6,7]"),
      bad("/rules/0/rank", "5"),
      subtle("/rules/0/rank", "[8,5]"),
      bad("/rules/0/m", "[-1,5]"),
      good("/rules/0/m", "[0,2147483647]"),
      bad("/rules/0/k", "[0,5]"),
      bad("/rules/0/n", "[1,2147483648]"),
      bad("/rules/0/regret_bound", "-0.1"),
      bad("/rules/0/dtype", "\"f64\""),
      bad("/rules/0/op", "1"),
      bad("/rules/0/align", "2"),
      subtle("/rules/0/accumulate", "true"),
      subtle("/rules/0/variant", "\"absent\""),
      subtle("/records/0/config", "{\"X\":1,\"X\":2}"),
      subtle("/tool/name", "\"a\",\"name\":\"b\""),
  };
  // f32 has an element of four bytes.
  all.push_back(
      bad("/records/0/problem",
          R"({"op":"fwd","m":1,"k":1,"n":1,"rank":1,"dtype":"f32","accumulate":true,"align":2})"));
  all.push_back(bad(
      "/records/0/problem",
      R"({"op":"fwd","m":1,"k":1,"n":1,"rank":1,"dtype":"f16","accumulate":false,"dora":true})"));
  all.push_back(
      good("/records/0/problem",
           R"({"op":"fwd","m":1,"k":1,"n":1,"rank":1,"dtype":"f32","accumulate":true,"align":4})"));
  return all;
}

TEST(TunedFile, Documents) {
  for (const Document& document : documents()) {
    const std::string error = error_of(text_of(document));
    EXPECT_EQ(error.empty(), document.we_accept)
        << document.pointer << " = " << document.raw << "\n"
        << error;
  }
}

// Every member that is taken away is missed, by both sides, but for those that an earlier build did
// not write.
bool is_optional(const std::string& member) {
  return member == "device_version" || member == "sub_group_size" || member == "architecture" ||
         member == "usable_cpus";
}

std::vector<std::string> documents_without_a_member() {
  const json base = json::parse(serialize(fictional::file()));
  std::vector<std::string> texts;
  for (const char* parent : {"", "/tool", "/devices/d0", "/kernels/naive", "/records/0",
                             "/records/0/problem", "/rules/0"}) {
    for (const auto& [key, value] : base[json::json_pointer(parent)].items()) {
      if (is_optional(key)) continue;
      json changed = base;
      changed[json::json_pointer(parent)].erase(key);
      texts.push_back(changed.dump());
    }
  }
  return texts;
}

TEST(TunedFile, EveryMemberIsRequired) {
  const auto texts = documents_without_a_member();
  EXPECT_EQ(texts.size(), 7U + 3 + 9 + 2 + 15 + 7 + 12);
  for (const std::string& text : texts) EXPECT_NE(error_of(text), "") << text.substr(0, 200);
}

TEST(TunedFile, WhatEarlierBuildsDidNotWriteIsUnknown) {
  json old = json::parse(serialize(fictional::file()));
  for (auto& [id, device] : old["devices"].items()) {
    for (const char* key : {"device_version", "sub_group_size"}) EXPECT_EQ(device.erase(key), 1U);
  }
  const ParsedTunedFile parsed = parse_tuned_file(old.dump());
  ASSERT_TRUE(parsed.file) << parsed.error;
  EXPECT_EQ(parsed.file->devices.at("d0").device_version, "");
  EXPECT_EQ(parsed.file->devices.at("d0").sub_group_size, 0);
  EXPECT_EQ(json::parse(serialize(*parsed.file)), old);
}

// A file of version 1 is read as one of version 2, and holds nothing that version 1 did not know.
TEST(TunedFile, FilesOfVersion1AreRead) {
  json first = json::parse(serialize(fictional::file()));
  first["version"] = 1;
  const ParsedTunedFile parsed = parse_tuned_file(first.dump());
  ASSERT_TRUE(parsed.file) << parsed.error;
  EXPECT_EQ(serialize(*parsed.file), serialize(fictional::file()));
  const auto refused = [&](const char* pointer, const json& value) {
    json newer = first;
    newer[json::json_pointer(pointer)] = value;
    EXPECT_NE(error_of(newer.dump()), "") << pointer;
    newer["version"] = 2;
    EXPECT_EQ(error_of(newer.dump()), "") << pointer;
  };
  refused("/records/0/problem/dtype", "bf16");
  refused("/records/0/problem/weights", "f32");
  refused("/records/0/problem/slices", {512, 512});
  refused("/records/0/problem/adapters", 8);
  refused("/records/0/problem/dora", true);
  refused("/rules/0/dtype", "bf16");
  refused("/rules/0/weights", "f32");
  refused("/rules/0/adapters", 8);
}

TEST(TunedFile, EveryAxisComesBack) {
  TunedFile file = fictional::file();
  Problem p = fictional::problem(64);
  set_types(p, {Dtype::f32, Dtype::bf16});
  p.slices = *parse_slices("512+256+256");
  p.adapters = 8;
  p.dora = true;
  file.records.push_back(fictional::record("d0", p, 8));
  file.rules.push_back(fictional::rule("d0", {8, 8}, {1, 64}, 8));
  file.rules.back().kind = kind_of(p);
  file.rules.back().n = {1024, 1024};
  const std::string bytes = serialize(file);
  const ParsedTunedFile parsed = parse_tuned_file(bytes);
  ASSERT_TRUE(parsed.file) << parsed.error;
  EXPECT_EQ(serialize(*parsed.file), bytes);
  const auto& records = parsed.file->records;
  EXPECT_TRUE(std::any_of(records.begin(), records.end(),
                          [&](const Record& record) { return record.problem == p; }));
  const auto& rules = parsed.file->rules;
  EXPECT_TRUE(std::any_of(rules.begin(), rules.end(),
                          [&](const Rule& rule) { return rule.kind == kind_of(p); }));
  // What is as usual is not written.
  p.weights = p.dtype;
  file.records.back().problem = p;
  EXPECT_EQ(serialize(file).find("\"weights\":\"f32\""), std::string::npos);
}

TEST(TunedFile, TheSchemaAgrees) {
  const TemporaryFolder folder;
  std::vector<bool> expected;
  const auto add = [&](const std::string& text, bool accepted) {
    const std::string name = std::to_string(1000 + expected.size()) + ".json";
    write_bytes(folder / name, text);
    expected.push_back(accepted);
  };
  add(serialize(fictional::file()), true);
  for (const Document& document : documents()) add(text_of(document), document.schema_accepts);
  for (const std::string& text : documents_without_a_member()) add(text, false);

  const std::string command = std::string("/usr/bin/python3 ") + LORATUNE_SOURCE_DIR +
                              "/tests/check_schema.py " + LORATUNE_SOURCE_DIR +
                              "/results/schema/tuned-v2.schema.json " + folder.path().string();
  FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string answers;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) answers += static_cast<char>(c);
  const int status = ::pclose(pipe);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (code == 77 || code == 127)
    GTEST_SKIP() << "/usr/bin/python3 has no jsonschema of draft 2020-12";
  ASSERT_EQ(code, 0);
  ASSERT_EQ(answers.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::string name = std::to_string(1000 + i) + ".json";
    EXPECT_EQ(answers[i] == 'y', expected[i]) << read_bytes(folder / name);
  }
}

TEST(TunedFile, ErrorsPointAtTheFault) {
  const auto points = [](const std::string& bytes, const std::string& pointer) {
    const std::string error = error_of(bytes);
    EXPECT_TRUE(error.starts_with("at \"" + pointer + "\": ")) << error;
  };
  points(text_of({"/records/3/time_ns", "-1", false, false}), "/records/3/time_ns");
  points(text_of({"/records/3/time_ns", "1e999", false, false}), "/records/3/time_ns");
  points(text_of({"/records/3/time_ns", "NaN", false, false}), "/records/3/time_ns");
  points(text_of({"/records/3/config", "{\"X\":1,\"X\":2}", false, false}), "/records/3/config/X");
  points(text_of({"/devices/d0/a~1b~0c", "1", false, false}), "/devices/d0/a~1b~0c");
  points(text_of({"/rules/0/accumulate", "true", false, false}), "/rules/1");
  points(text_of({"/devices/d0/\x1b]0;x", "1", false, false}), "/devices/d0/\\x1b]0;x");
  points(text_of({"/rules/0/slices", "[256,256]", false, false}), "/rules/0/n");
  points("", "");
  points("[]", "");
  EXPECT_NE(error_of(text_of({"/version", "3", false, false})).find("another version"),
            std::string::npos);
}

// The committed file with this text in place of its records.
std::string with_records(const std::string& text) {
  return text_of({"/records", text, false, false});
}

// What is no JSON, though its brackets match.
TEST(TunedFile, WhatIsNoJsonIsRefused) {
  for (const char* records : {"[,]",
                              "[0,]",
                              "[0 0]",
                              "{]",
                              "[}",
                              "[0",
                              "0]",
                              "[01]",
                              "[+1]",
                              "[.5]",
                              "[1.]",
                              "[1e]",
                              "[-]",
                              "[nul]",
                              "[truely]",
                              "[True]",
                              "['a']",
                              "[\"a]",
                              "[\"\\x\"]",
                              "[\"\\u12\"]",
                              "[\"\\u12g4\"]",
                              "[\"\\ud800\"]",
                              "[\"\\udc00\"]",
                              "[\"\\ud800\\u0041\"]",
                              "[\"\t\"]",
                              "[{\"a\" 1}]",
                              "[{\"a\":}]",
                              "[{\"a\":1,}]",
                              "[{a:1}]",
                              "[/**/]",
                              "[\x01]",
                              ""}) {
    EXPECT_NE(error_of(with_records(records)), "") << records;
  }
  TunedFile file = fictional::file();
  file.devices["d0"].name = "caf\u00e9 \"quoted\" \\ / \n\t \U0001f600";
  const ParsedTunedFile parsed = parse_tuned_file(serialize(file));
  ASSERT_TRUE(parsed.file) << parsed.error;
  EXPECT_EQ(parsed.file->devices.at("d0").name, file.devices["d0"].name);
  EXPECT_EQ(error_of("\xef\xbb\xbf " + serialize(file) + " \r\n\t"), "");
}

TEST(TunedFile, HostileBytes) {
  const std::string good = serialize(fictional::file());
  EXPECT_NE(error_of(std::string(5'000'000, '[')).find("nested too deeply"), std::string::npos);
  EXPECT_NE(error_of(with_records(std::string(5'000'000, '['))).find("nested too deeply"),
            std::string::npos);
  EXPECT_NE(error_of(with_records("[[[[[[[[0]]]]]]]]")).find("nested too deeply"),
            std::string::npos);
  std::string nested;
  for (int i = 0; i < 1'000'000; ++i) nested += "{\"a\":";
  EXPECT_NE(error_of(nested).find("nested too deeply"), std::string::npos);
  EXPECT_NE(error_of("\"" + std::string(1'000'000, 'x') + "\""), "");
  EXPECT_NE(error_of("{\"" + std::string(1'000'000, 'x') + "\":1}"), "");
  EXPECT_NE(error_of(std::string(1'000'000, '1')), "");
  EXPECT_NE(error_of(good + "x"), "");
  EXPECT_NE(error_of(good + '\0'), "");
  EXPECT_NE(error_of(good + std::string("\0 garbage", 9)), "");
  EXPECT_NE(error_of("\xff\xfe"), "");
  std::string wide = "[[";
  for (int i = 0; i < 100'000; ++i) wide += "0,";
  EXPECT_NE(error_of(with_records(wide + "0]]")).find("too many values"), std::string::npos);
  std::string members = "{";
  for (int i = 0; i < 1000; ++i) members += "\"m" + std::to_string(i) + "\":0,";
  EXPECT_NE(error_of(members + "\"x\":0}").find("too many members"), std::string::npos);
}

// No prefix of a good file and no file with one byte changed may do worse than an error.
TEST(TunedFile, TruncatedAndFlipped) {
  const std::string good = serialize(fictional::file());
  ASSERT_EQ(error_of(good), "");
  for (std::size_t size = 0; size + 1 < good.size(); size += 7) {
    EXPECT_NE(error_of(good.substr(0, size)), "") << size;
  }
  unsigned state = 1;
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = good;
    state = state * 1664525U + 1013904223U;
    bytes[(state >> 8U) % bytes.size()] = static_cast<char>(state >> 24U);
    const ParsedTunedFile parsed = parse_tuned_file(bytes);
    if (parsed.file) {
      EXPECT_EQ(error_of(serialize(*parsed.file)), "");
    }
  }
}

TEST(TunedFile, LoadAndWrite) {
  const TemporaryFolder folder;
  ASSERT_EQ(write_tuned_file(folder / "t.json", fictional::file()), "");
  const ParsedTunedFile loaded = load_tuned_file(folder / "t.json");
  ASSERT_TRUE(loaded.file) << loaded.error;
  EXPECT_EQ(serialize(*loaded.file), read_bytes(folder / "t.json"));

  TunedFile impossible = fictional::file();
  impossible.records[0].speedup = std::numeric_limits<double>::quiet_NaN();
  const std::string error = write_tuned_file(folder / "t.json", impossible);
  EXPECT_NE(error.find("/records/0/speedup"), std::string::npos) << error;
  impossible = fictional::file();
  impossible.records[0].time_ns = 0;
  EXPECT_NE(write_tuned_file(folder / "t.json", impossible), "");
  impossible = fictional::file();
  impossible.records.push_back(impossible.records[0]);
  EXPECT_NE(write_tuned_file(folder / "t.json", impossible), "");
  EXPECT_EQ(serialize(fictional::file()), read_bytes(folder / "t.json"));
}

TEST(TunedFile, WhatIsNoFileIsNotRead) {
  const TemporaryFolder folder;
  const auto says = [](const std::filesystem::path& path, const std::string& text) {
    const std::string error = load_tuned_file(path).error;
    EXPECT_NE(error.find(text), std::string::npos) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos);
  };
  says(folder / "absent", "No such file");
  says(folder.path(), "is a folder");
  says("/dev/zero", "no regular file");
  says("/dev/null", "no regular file");
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  says(folder / "fifo", "no regular file");
  write_bytes(folder / "empty", "");
  says(folder / "empty", "no valid JSON");
  // A sparse file of 1 TiB, for which there is no memory: it must be refused by its size alone.
  write_bytes(folder / "huge", "");
  std::filesystem::resize_file(folder / "huge", std::uintmax_t{1} << 40U);
  says(folder / "huge", "larger than");
  says("/proc/self/status", "no valid JSON");  // its size is given as 0
}

}  // namespace
}  // namespace loratune
