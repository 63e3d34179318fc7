#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <set>
#include <string_view>

#include "adapters/adapter_files.h"
#include "loratune/adapters/tensor_file.h"

namespace loratune {
namespace {

std::string error_of(const std::string& bytes) {
  TemporaryFolder folder;
  write_bytes(folder / "f.safetensors", bytes);
  std::string error = load_safetensors((folder / "f.safetensors").string()).error;
  EXPECT_TRUE(error.empty() || error.find("f.safetensors") != std::string::npos) << error;
  EXPECT_EQ(error.find('\n'), std::string::npos);
  return error;
}

// A header of one tensor `a` with these members, over 8 bytes of data.
std::string one(const std::string& members) {
  return safetensors(R"({"a":{)" + members + "}}", std::string(8, '\0'));
}

TEST(Safetensors, ReadsTensorsInTheOrderOfTheirBytes) {
  TemporaryFolder folder;
  write_bytes(folder / "f",
              safetensors(R"({"b":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},)"
                          R"("__metadata__":{"format":"pt"},)"
                          R"("a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}  )",
                          std::string(12, '\1')));
  const LoadedTensors loaded = load_safetensors((folder / "f").string());
  ASSERT_TRUE(loaded.file) << loaded.error;
  ASSERT_EQ(loaded.file->tensors.size(), 2U);
  EXPECT_EQ(loaded.file->tensors[0].name, "a");
  EXPECT_EQ(shape_text(loaded.file->tensors[0]), "[1, 2]");
  EXPECT_EQ(loaded.file->tensors[1].bytes.size(), 4U);
}

TEST(Safetensors, TakesWhatMlxWrites) {
  // Null for no metadata, and data at any byte.
  EXPECT_EQ(error_of(safetensors(R"({"__metadata__":null,"a":{"dtype":"F32","shape":[2],)"
                                 R"("data_offsets":[0,8]}})",
                                 std::string(8, '\0'))),
            "");
}

TEST(Safetensors, TakesEmptyTensorsAndNone) {
  EXPECT_EQ(error_of(safetensors("{}")), "");
  EXPECT_EQ(error_of(safetensors(R"({"a":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]}})")),
            "");
  EXPECT_EQ(error_of(safetensors(R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
                                 std::string(4, '\0'))),
            "");
}

TEST(Safetensors, RefusesBrokenFiles) {
  const std::string sound = R"("dtype":"F32","shape":[2],"data_offsets":[0,8])";
  ASSERT_EQ(error_of(one(sound)), "");
  const std::vector<std::pair<std::string, std::string>> refusals = {
      {"", "too short"},
      {"1234567", "too short"},
      {bytes_of<std::uint64_t>(0), "header would be 0 bytes"},
      {bytes_of<std::uint64_t>(1000) + "{}", "header would be 1000 bytes"},
      {bytes_of<std::uint64_t>(~0ULL) + "{}", "header would be 18446744073709551615"},
      {safetensors(" {}"), "begins with no {"},
      {safetensors("[]"), "begins with no {"},
      {safetensors("{} x"), "no valid JSON"},
      {safetensors("{\"a\":{"), "no valid JSON"},
      {safetensors(std::string("{}\0 {", 5)), "zero byte"},
      {safetensors("{\"a\xff\":1}"), "no valid JSON"},
      {safetensors(R"({"a":1})"), "wants an object, not a number"},
      {safetensors(R"({"a":null})"), "wants an object, not null"},
      {safetensors(R"({"a":[]})"), "wants an object, not a list"},
      {safetensors(R"({"__metadata__":1})"), "wants an object"},
      {safetensors(R"({"__metadata__":{"a":1}})"), "wants a text"},
      {safetensors(R"({"__metadata__":{"a":{}}})"), "wants a text"},
      {safetensors(R"({"__metadata__":{"a":"b","a":"c"}})"), "twice"},
      {safetensors(R"({"__metadata__":{},"__metadata__":{}})"), "twice"},
      {one(sound + R"(,"x":1)"), "has a member 'x'"},
      {one(sound + R"(,"dtype":"F32")"), "its dtype stands twice"},
      {one(R"("dtype":"F32","shape":[2])"), "wants dtype, shape and data_offsets"},
      {one(R"("dtype":"F31","shape":[2],"data_offsets":[0,8])"), "no dtype 'F31'"},
      {one(R"("dtype":3,"shape":[2],"data_offsets":[0,8])"), "a text as its dtype"},
      {one(R"("dtype":"F32","shape":2,"data_offsets":[0,8])"), "a list as its shape"},
      {one(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])"), "whole numbers as its shape"},
      {one(R"("dtype":"F32","shape":[2.0],"data_offsets":[0,8])"), "whole numbers as its shape"},
      {one(R"("dtype":"F32","shape":["2"],"data_offsets":[0,8])"), "whole numbers as its shape"},
      {one(R"("dtype":"F32","shape":[[2]],"data_offsets":[0,8])"), "not a list"},
      {one(R"("dtype":"F32","shape":[1,1,1,1,1,1,2],"data_offsets":[0,8])"), "extents"},
      {one(R"("dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8])"), "63 bits"},
      {one(R"("dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8])"), "not whole"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8,8])"), "data_offsets"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[0])"), "data_offsets are two"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])"), "not within"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[0,9])"), "not within"},
      {one(R"("dtype":"F32","shape":[1],"data_offsets":[0,8])"), "takes 4 bytes"},
      {one(R"("dtype":"F4","shape":[1],"data_offsets":[0,8])"), "no whole number of bytes"},
      // 2^62 * 4 wraps to 0, and 2^63 + 2 elements of 4 bytes to 8.
      {one(R"("dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,8])"),
       "no whole number"},
      {one(R"("dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,8])"), "no whole"},
      {one(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])"), "end at byte 4 of 8"},
      {one(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])"), "leave a hole"},
      {safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                   R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                   std::string(8, '\0')),
       "overlap"},
      {safetensors(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                   R"("a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                   std::string(8, '\0')),
       "key 'a': stands twice"},
      {safetensors("{\"" + std::string(2000, 'a') + "\":{}}"), "the key is too long"},
      {safetensors("{\"a\":" + std::string(100, '1') + "}"), "a number of more than 64"},
      {safetensors("{\"__metadata__\":{\"a\":\"" + std::string(2 << 20, 'a') + "\"}}"),
       "a string of more than"},
      {safetensors("{" + std::string(2 << 20, ' ') + "}"), "blanks in a row"},
      {safetensors("{\"a\":" + std::string(1 << 20, '[')), "not a list"}};
  for (const auto& [bytes, expected] : refusals) {
    EXPECT_SAYS(error_of(bytes), expected) << bytes.substr(0, 100);
  }
}

TEST(Safetensors, RefusesMoreRemarksThanMemoryIsFor) {
  std::string header = R"({"__metadata__":{)";
  for (int i = 0; i < 5000; ++i) {
    header += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":\"\"";
  }
  EXPECT_SAYS(error_of(safetensors(header + "}}")), "too many members");
}

TEST(Safetensors, RefusesMoreTensorsThanMemoryIsFor) {
  std::string header = "{";
  for (int i = 0; i < 100001; ++i) {
    header += (i > 0 ? ",\"" : "\"") + std::to_string(i) +
              R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  }
  EXPECT_SAYS(error_of(safetensors(header + "}")), "more than 100000 tensors");
}

std::string empty_tensor(const std::string& key) {
  return '"' + key + R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
}

// A name is a part of the file, unless it stands there in other words.
TEST(Safetensors, NamesAreTheSameWithAndWithoutEscapes) {
  const TemporaryFolder folder;
  write_bytes(folder / "f",
              safetensors("{" + empty_tensor(R"(\u0061b)") + "," + empty_tensor("cd") + "}"));
  const LoadedTensors loaded = load_safetensors((folder / "f").string());
  ASSERT_TRUE(loaded.file) << loaded.error;
  ASSERT_EQ(loaded.file->tensors.size(), 2U);
  const std::set<std::string_view> names = {loaded.file->tensors[0].name,
                                            loaded.file->tensors[1].name};
  EXPECT_EQ(names, (std::set<std::string_view>{"ab", "cd"}));
  EXPECT_SAYS(
      error_of(safetensors("{" + empty_tensor(R"(\u0061b)") + "," + empty_tensor("ab") + "}")),
      "key 'ab': stands twice");
}

TEST(Safetensors, RefusesMoreEscapedNamesThanMemoryIsFor) {
  std::string header = "{";
  for (int i = 0; i < 1100; ++i) {
    header +=
        (i > 0 ? "," : "") + empty_tensor(std::string(1000, 'a') + R"(\u0061)" + std::to_string(i));
  }
  EXPECT_SAYS(error_of(safetensors(header + "}")), "keys with escapes take more than 1 MiB");
}

TEST(Safetensors, RefusesWhatIsNoRegularFile) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& name) {
    return load_safetensors((folder / name).string()).error;
  };
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_SAYS(error("fifo"), "is no regular file");
  std::filesystem::create_symlink("loop", folder / "loop");
  EXPECT_SAYS(error("loop"), "cannot be read");
  std::filesystem::create_directory(folder / "folder");
  EXPECT_SAYS(error("folder"), "is no regular file");
  EXPECT_SAYS(error("absent"), "No such file");
  EXPECT_SAYS(load_safetensors("/dev/zero").error, "is no regular file");
}

TEST(Safetensors, AFileOfManyGigabytesCostsItsHeader) {
  const TemporaryFolder folder;
  const std::uint64_t size = std::uint64_t{10} << 30;
  const std::string path = (folder / "large").string();
  write_bytes(path, safetensors(R"({"a":{"dtype":"F32","shape":[)" + std::to_string(size / 4) +
                                R"(],"data_offsets":[0,)" + std::to_string(size) + "]}}"));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) + size);
  const LoadedTensors loaded = load_safetensors(path);
  ASSERT_TRUE(loaded.file) << loaded.error;
  EXPECT_EQ(loaded.file->tensors[0].bytes.size(), size);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  EXPECT_SAYS(load_safetensors(path).error, "not within");
}

TEST(Safetensors, WhatIsWrittenIsReadAgain) {
  const TemporaryFolder folder;
  const std::string path = (folder / "f").string();
  std::vector<NamedArray> arrays(2);
  arrays[0] = {
      "half \"quoted\"", Element::f16, {3}, from_floats(Element::f16, std::vector{1.F, 2.F, 3.F})};
  arrays[1] = {"float", Element::f32, {1, 2}, from_floats(Element::f32, std::vector{4.F, 5.F})};
  ASSERT_EQ(save_safetensors(path, arrays), "");
  const LoadedTensors loaded = load_safetensors(path);
  ASSERT_TRUE(loaded.file) << loaded.error;
  ASSERT_EQ(loaded.file->tensors.size(), 2U);
  EXPECT_EQ(loaded.file->tensors[0].name, "float");
  EXPECT_EQ(loaded.file->tensors[1].name, "half \"quoted\"");
  EXPECT_EQ(to_floats(Element::f16, loaded.file->tensors[1].bytes), (std::vector{1.F, 2.F, 3.F}));
  EXPECT_SAYS(save_safetensors((folder / "absent" / "f").string(), arrays), "cannot");
}

TEST(Element, ConversionsAreThoseOfTheFormats) {
  const auto round = [](Element element, float value) {
    return to_floats(element, from_floats(element, std::vector{value}))[0];
  };
  EXPECT_EQ(round(Element::bf16, 1.00390625F), 1.0F);       // a tie goes to the even neighbour
  EXPECT_EQ(round(Element::bf16, 1.01171875F), 1.015625F);  // and up where that is even
  EXPECT_EQ(round(Element::bf16, 3.4e38F), INFINITY);
  EXPECT_EQ(round(Element::f16, 70000.0F), INFINITY);
  EXPECT_EQ(round(Element::f16, 1e-8F), 0.0F);
  for (const std::uint32_t bits : {0x7f800001U, 0x7fffffffU, 0xff800001U}) {
    EXPECT_TRUE(std::isnan(round(Element::bf16, std::bit_cast<float>(bits)))) << bits;
  }
  // Scale 0.5 (f16 0x3800), then numbers of 8 bits.
  std::vector<std::byte> q8(34, std::byte{0});
  q8[1] = std::byte{0x38};
  q8[2] = std::byte{0x80};
  q8[33] = std::byte{0x7f};
  const std::vector<float> eight = to_floats(Element::q8_0, q8);
  ASSERT_EQ(eight.size(), 32U);
  EXPECT_EQ(eight[0], -64.0F);
  EXPECT_EQ(eight[31], 63.5F);
  std::vector<std::byte> q4(18, std::byte{0x88});
  q4[0] = std::byte{0};
  q4[1] = std::byte{0x38};
  q4[2] = std::byte{0xf0};
  const std::vector<float> four = to_floats(Element::q4_0, q4);
  EXPECT_EQ(four[0], -4.0F);
  EXPECT_EQ(four[16], 3.5F);
  EXPECT_EQ(four[1], 0.0F);
}

}  // namespace
}  // namespace loratune
