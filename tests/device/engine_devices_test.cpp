// Devices that cannot be used, planted by faulty_driver.c in front of the first of two PoCL
// devices: they hide no other, are shown with their reason and are never the default.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "device/environment.h"
#include "device/process.h"

namespace loratune {
namespace {

using nlohmann::json;

class BadDevices : public testing::Test {
 protected:
  Result run(const Words& words, const std::string& fault, const Words& more = {}) {
    const Words environment = {"LD_PRELOAD=" LORATUNE_FAULTY_DRIVER, "LORATUNE_FAULT=" + fault,
                               "POCL_DEVICES=basic pthread", "OCL_ICD_VENDORS=pocl.icd"};
    return Process(folder_, words, more + environment + kSanitizersStandBack).wait();
  }
  json list(const std::string& fault, const Words& more = {}) {
    const Result result = run({"--list", "--json"}, fault, more);
    EXPECT_EQ(result.code, 0) << result.err;
    return json::parse(result.out);  // throws for what is no UTF-8
  }
  static bool says(const std::string& text, const std::string& word) {
    return text.find(word) != std::string::npos;
  }

  TemporaryFolder folder_;
  const Words pick_ = {"--pick", "m1_k64_n64_r4_f32_acc"};
};

TEST_F(BadDevices, HideNoOtherAndAreNeverTheDefault) {
  const json sound = list("none");
  ASSERT_EQ(sound.at("devices").size(), 2U) << "PoCL has no basic and pthread device here";
  EXPECT_TRUE(sound.at("passed_over").empty()) << sound.at("passed_over");
  const std::string first = sound.at("devices")[0].at("name");
  const std::string second = sound.at("devices")[1].at("name");
  ASSERT_TRUE(says(run(pick_, "none").out, first)) << "the default";
  const std::pair<const char*, const char*> faults[] = {
      {"device:mute", "a device is passed over: clGetDeviceInfo: CL_OUT_OF_HOST_MEMORY"},
      {"device:away", "is passed over: it is not available"},
      {"device:plain", "is passed over: it has no compiler"}};
  for (const auto& [fault, reason] : faults) {
    const json listed = list(fault);
    ASSERT_EQ(listed.at("devices").size(), 1U) << fault;
    EXPECT_EQ(listed.at("devices")[0].at("name"), second) << fault;
    ASSERT_EQ(listed.at("passed_over").size(), 1U) << fault;
    EXPECT_TRUE(says(listed.at("passed_over")[0], reason)) << listed.at("passed_over");
    EXPECT_TRUE(says(run({"--list"}, fault).out, reason)) << fault;
    EXPECT_TRUE(says(run(pick_, fault).out, second)) << fault;
    // Who asks for the bad one is told why it is not there.
    const Result asked = run(pick_ + Words{"--device", "1"}, fault);
    EXPECT_EQ(asked.code, 2) << asked.out;
    EXPECT_TRUE(says(asked.err, reason)) << asked.err;
    EXPECT_EQ(complaints(asked), 1) << asked.err;
  }
}

TEST_F(BadDevices, ThatAreTheOnlyOnesAreNoMissingIcd) {
  const Result result = run(pick_, "device:mute", {"POCL_DEVICES=pthread"});
  EXPECT_TRUE(says(result.err, "no OpenCL device that can be used; ")) << result.err;
  EXPECT_TRUE(says(result.err, "CL_OUT_OF_HOST_MEMORY")) << result.err;
  EXPECT_FALSE(says(result.err, "no ICD")) << result.err;
}

TEST_F(BadDevices, AreToldFromAMissingIcd) {
  const Result none = run(pick_, "none", {"OCL_ICD_VENDORS=/nonexistent"});
  EXPECT_TRUE(says(none.err, "no ICD is installed")) << none.err;
  // Below a file there is no folder to write, for root neither.
  const std::string folder = LORATUNE_FAULTY_DRIVER "/cache";
  const Result unwritable = run(pick_, "none", {"POCL_CACHE_DIR=" + folder});
  EXPECT_TRUE(says(unwritable.err, "its cache folder " + folder + " cannot be written"))
      << unwritable.err;
  EXPECT_FALSE(says(unwritable.err, "no ICD")) << unwritable.err;
}

// The loader cuts the list in the process that asks it, and its worker gets the whole list.
TEST_F(BadDevices, TheListOfDriversReachesWorkers) {
  const Words words = {"--check", "--variants", "naive", "--problem", "m3_k64_n64_r4_f32_acc"};
  const Result checked = run(words, "platform:cut", {"OCL_ICD_FILENAMES=one.so:other.so"});
  EXPECT_EQ(checked.code, 0) << checked.err;
  EXPECT_EQ(run(words, "platform:cut", {"OCL_ICD_FILENAMES=one.so"}).code, 77)
      << "without the second driver there is no device";
}

TEST_F(BadDevices, ACacheFolderWithoutANameIsTheUsualOne) {
  const Result result = run(pick_, "none", {"POCL_CACHE_DIR="});
  EXPECT_EQ(result.code, 0) << result.err;
}

// What a driver says, and what becomes of it: bytes that are no UTF-8 and control characters are
// question marks.
TEST_F(BadDevices, HaveNamesThatFilesAndTerminalsCanTake) {
  const std::pair<std::string, std::string> names[] = {
      {"Chip 5", "Chip 5"},
      {"Chip \n\t ", "Chip"},
      {"", ""},
      {"Chip\x1b[31m\tX\x7f", "Chip?[31m?X?"},
      {"\xff\xfe", "??"},
      {"\xc3\xa9\xe2\x84\xa2\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x84\xa2\xf0\x9f\x98\x80"},
      {"\xe2\x84", "??"},
      {"\xe2\x84x\xc3", "??x?"},
      {"\xc0\xaf \xe0\x80\xaf \xf0\x80\x80\xaf.", "?? ??? ????."},
      {"\xed\xa0\x80", "???"},
      {"\xf4\x90\x80\x80", "????"},
      {"\xc2\x85\xc2\x9b\xc2\xa0.", "??\xc2\xa0."}};
  for (const auto& [said, shown] : names) {
    const json devices = list("device:name", {"LORATUNE_NAME=" + said}).at("devices");
    ASSERT_EQ(devices.size(), 2U);
    for (const char* field : {"name", "vendor", "driver"}) {
      EXPECT_EQ(devices[0].at(field), shown) << field;
    }
  }
}

TEST(EqualDevices, AreOneForAName) {
  const TemporaryFolder folder;
  const auto pick = [&](const char* devices) {
    return Process(folder, {"--pick", "m1_k64_n64_r4_f32_acc", "--device", "Portable"},
                   {std::string("POCL_DEVICES=") + devices})
        .wait();
  };
  EXPECT_EQ(pick("pthread pthread").code, 0);
  const Result different = pick("basic pthread");
  EXPECT_EQ(different.code, 2);
  EXPECT_NE(different.err.find("matches 2 devices; give the index"), std::string::npos)
      << different.err;
}

}  // namespace
}  // namespace loratune
