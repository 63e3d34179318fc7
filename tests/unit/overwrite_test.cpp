// What --export-plans writes over. Without a device it ends with 77 where it would have gone on.
#include <gtest/gtest.h>

#include <string>

#include "device/process.h"
#include "harness/gate/plans_file.h"
#include "made_up_devices.h"

namespace loratune {
namespace {

TEST(ExportPlans, WritesOverNothingButPlans) {
  const TemporaryFolder folder;
  const auto exported = [&](const std::string& name) {
    return Process(folder, {"--export-plans", name}, {"OCL_ICD_VENDORS=/nonexistent"}).wait();
  };
  write_plans(folder / "plans", {{"lora-bench", "0.1.0", "unknown"}, made_up::gpu(), {}});
  write_bytes(folder / "empty", "");
  for (const char* name : {"plans", "empty", "none"}) {
    EXPECT_EQ(exported(name).code, 77) << name;
  }
  const std::string tuned = read_bytes(LORATUNE_SOURCE_DIR "/tests/data/fictional.json");
  for (const std::string& foreign : {tuned, std::string("my notes\n"), std::string("{}")}) {
    write_bytes(folder / "foreign", foreign);
    const Result result = exported("foreign");
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(complaints(result), 1) << result.err;
    EXPECT_NE(result.err.find("'foreign' exists and is no plans file"), std::string::npos) << result.err;
    EXPECT_EQ(read_bytes(folder / "foreign"), foreign);
  }
  EXPECT_EQ(exported("/dev/null").code, 2);
}

}  // namespace
}  // namespace loratune
