// What a tuned file that is refused costs: at most 16 MiB above its own size, whatever it holds.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "loratune/dispatch/tuned_file.h"
#include "unit/allocations.h"
#include "unit/fictional.h"
#include "unit/temporary_folder.h"

namespace loratune {
namespace {

constexpr std::int64_t kAbove = std::int64_t{16} << 20;

// The fictional file with `records` and `rules` in place of its own, as JSON.
std::string with(const std::string& records, const std::string& rules = "[]") {
  TunedFile file = fictional::file();
  file.records.clear();
  file.rules.clear();
  std::string bytes = serialize(file);
  const auto put = [&](const std::string& empty, const std::string& full) {
    bytes.replace(bytes.find(empty), empty.size(), full);
  };
  put("\"records\":[\n]", "\"records\":" + records);
  put("\"rules\":[\n]", "\"rules\":" + rules);
  return bytes;
}

// So many sound records, and what else is to stand among them.
std::string sound_records(int count, const std::string& last) {
  TunedFile file = fictional::file();
  file.rules.clear();
  file.records = {fictional::record("d0", fictional::problem(), 8)};
  const std::string bytes = serialize(file);
  const std::size_t begin = bytes.find("\n{\"clock\"");
  const std::string line = bytes.substr(begin, bytes.find("\n]", begin) - begin);
  const std::size_t m = line.find("\"m\":1,") + 4;
  std::string records = "[";
  records.reserve(static_cast<std::size_t>(count) * (line.size() + 8));
  for (int i = 0; i < count; ++i) {
    records.append(line, 0, m).append(std::to_string(i)).append(line, m + 1).append(",");
  }
  return records + last + "]";
}

std::string repeated(const std::string& text, int times, const std::string& last) {
  std::string all = "[";
  all.reserve(text.size() * static_cast<std::size_t>(times) + last.size() + 2);
  for (int i = 0; i < times; ++i) all += text;
  return all + last + "]";
}

void expect_cheap_refusal(const std::string& what, const std::string& bytes) {
  std::string error;
  const std::int64_t peak = peak_of([&] { error = parse_tuned_file(bytes).error; });
  EXPECT_NE(error, "") << what;
  EXPECT_LE(peak, kAbove) << what << ", " << bytes.size() << " bytes: " << error;
}

TEST(TunedFileMemory, OfARefusalIsBounded) {
  const int millions = 4'000'000;
  expect_cheap_refusal("many small members", [] {
    std::string members = "{";
    for (int i = 0; i < 1'000'000; ++i) members += "\"m" + std::to_string(i) + "\":0,";
    return with("[" + members + "\"x\":0}]");
  }());
  expect_cheap_refusal("many small members of the whole", [] {
    std::string members = "{";
    for (int i = 0; i < 1'000'000; ++i) members += "\"m" + std::to_string(i) + "\":0,";
    return members + "\"x\":0}";
  }());
  expect_cheap_refusal("deep nesting", with(std::string(millions, '[')));
  expect_cheap_refusal("nothing but nesting", std::string(millions, '{'));
  expect_cheap_refusal("empty objects", with(repeated("{},", millions, "{}")));
  expect_cheap_refusal("empty objects for rules", with("[]", repeated("{},", millions, "{}")));
  expect_cheap_refusal("arrays of numbers", with("[" + repeated("0,", millions, "0") + "]"));
  expect_cheap_refusal("a long string", with("[\"" + std::string(20'000'000, 'x') + "\"]"));
  expect_cheap_refusal("a long string of escapes",
                       with("[\"" + std::string(20'000'000, '\\') + "\"]"));
  expect_cheap_refusal("a long number", with("[" + std::string(20'000'000, '1') + "]"));
  expect_cheap_refusal("a long name", with("[{\"" + std::string(20'000'000, 'x') + "\":1}]"));
  expect_cheap_refusal("blanks", with("[" + std::string(20'000'000, ' ')));
}

// All is well up to the last record, or beyond that to the last member.
TEST(TunedFileMemory, OfARefusalAtTheEndIsBounded) {
  const int most = 65'535;
  expect_cheap_refusal("a wrong type at the end", with(sound_records(most, "0")));
  expect_cheap_refusal("a rule of a wrong type", with(sound_records(most - 1, "0"), "{}"));
  expect_cheap_refusal("a record too many", with(sound_records(most + 2, "{}")));
  std::string devices = with("[]");
  const std::size_t at = devices.find("\"cl_fictional_b\"");
  std::string extensions;
  for (int i = 0; i < 500; ++i) extensions += "\"" + std::string(256, 'e') + "\",";
  devices.insert(at, extensions);
  const std::size_t begin = devices.find("\"d0\":");
  const std::string device = devices.substr(begin + 4, devices.find("\n\"d1\"") - begin - 4);
  std::string many;
  for (int i = 0; i < 200; ++i) many += "\"e" + std::to_string(i) + "\"" + device + "\n";
  devices.insert(begin, many);
  ASSERT_TRUE(parse_tuned_file(devices).file) << parse_tuned_file(devices).error;
  expect_cheap_refusal("devices with long texts",
                       devices.insert(devices.find("\"rules\":[") + 9, "0"));
}

// From a file the bytes come to it, once.
TEST(TunedFileMemory, OfAFileItIsThatAboveItsSize) {
  const TemporaryFolder folder;
  const std::string bytes = with(sound_records(30'000, "0"));
  write_bytes(folder / "t.json", bytes);
  std::string error;
  const std::int64_t peak = peak_of([&] { error = load_tuned_file(folder / "t.json").error; });
  EXPECT_NE(error.find("/records/30000"), std::string::npos) << error;
  EXPECT_LE(peak, static_cast<std::int64_t>(bytes.size()) + kAbove);
}

// The control: files of this kind are read where nothing is wrong.
TEST(TunedFileMemory, SoundFilesAreRead) {
  std::string records = sound_records(1000, "");
  records.replace(records.rfind(",]"), 2, "]");
  const ParsedTunedFile parsed = parse_tuned_file(with(records));
  ASSERT_TRUE(parsed.file) << parsed.error;
  EXPECT_EQ(parsed.file->records.size(), 1000U);
  EXPECT_EQ(parsed.file->records[999].problem.m, 999);
}

}  // namespace
}  // namespace loratune
