// lora-bench --gate from end to end: its exit codes, and that a replay says the same to the byte.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "device/faulty_driver.h"
#include "unit/temporary_folder.h"

namespace loratune {
namespace {

using nlohmann::json;

const std::string kSelect =
    " --device 'Portable Computing Language' --problem m16_k256_n256_r8_f32_acc";

struct Ran {
  int code;
  std::string out, err;
};

class GateRun : public ::testing::Test {
 protected:
  Ran run(const std::string& arguments, const std::string& environment = "") {
    const std::string command = environment + " '" LORATUNE_BENCH "' " + arguments + " > " +
                                path("out") + " 2> " + path("err");
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_bytes(path("out")),
            read_bytes(path("err"))};
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void export_plans() { ASSERT_EQ(run("--export-plans " + path("base") + kSelect).code, 0); }
  Ran gate(const std::string& candidate, const std::string& more = "") {
    return run("--gate " + path("base") + " --against " + path(candidate) + " --out " +
               path("gate.json") + kSelect + " " + more);
  }
  // Writes the base's plans, changed.
  void plant(const std::string& name, const std::function<void(json&)>& change) {
    json plans = json::parse(read_bytes(path("base")));
    change(plans);
    write_bytes(path(name), plans.dump());
  }

  TemporaryFolder folder_;
};

TEST_F(GateRun, EqualPlansAreUnchangedAndNothingIsTimed) {
  export_plans();
  const Ran ran = run("--gate " + path("base") + " --out " + path("gate.json") + kSelect);
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  const json result = json::parse(read_bytes(path("gate.json")));
  EXPECT_GE(result.at("cases").size(), 4U);
  for (const json& one : result.at("cases")) EXPECT_TRUE(one.at("trials").empty());
  EXPECT_TRUE(result.at("sentinels").empty());
  EXPECT_EQ(ran.out.find("PASS  "), std::string::npos) << "unchanged is no pass";
}

TEST_F(GateRun, JsonOnStdoutIsTheFileWithTheVerdict) {
  export_plans();
  const Ran ran = run("--gate " + path("base") + " --json --out " + path("gate.json") + kSelect);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, read_bytes(path("gate.json")));
  const json result = json::parse(ran.out);
  EXPECT_EQ(result.at("exit"), 0);
  EXPECT_EQ(result.at("verdict"), "PASS");
  int native = 0;
  for (const json& one : result.at("cases")) {
    if (!one.at("case").get<std::string>().starts_with("native/")) {
      EXPECT_EQ(one.at("verdict"), "UNCHANGED");
      continue;
    }
    ++native;  // equal plans do not say that the code behind them is equal
    EXPECT_EQ(one.at("verdict"), "SKIPPED");
    EXPECT_EQ(one.at("candidate").at("outcome"), "correct");
  }
  EXPECT_GE(native, 1);
  EXPECT_EQ(run("--replay " + path("gate.json") + " --json").out, ran.out);
}

TEST_F(GateRun, AWrongCandidateIs4) {
  export_plans();
  plant("wrong", [](json& plans) {
    for (json& source : plans.at("sources")) {
      auto text = source.get<std::string>();
      for (std::size_t at = text.find("scale * sum"); at != std::string::npos;
           at = text.find("scale * sum", at + 20)) {
        text.replace(at, 11, "1.01f * scale * sum");
      }
      source = text;
    }
  });
  const Ran ran = gate("wrong", "--variants split");
  EXPECT_EQ(ran.code, 4) << ran.out << ran.err;
  EXPECT_NE(ran.out.find("WRONG"), std::string::npos);
  EXPECT_NE(ran.out.find("lora-bench --gate"), std::string::npos) << "no command to reproduce it";
}

TEST_F(GateRun, ACandidateThatDoesNotBuildIs5) {
  export_plans();
  plant("broken", [](json& plans) {
    for (json& source : plans.at("sources")) source = source.get<std::string>() + "\n#error no\n";
  });
  EXPECT_EQ(gate("broken", "--variants split").code, 5);
}

TEST_F(GateRun, AVanishedCaseIs6UnlessAllowed) {
  export_plans();
  plant("fewer", [](json& plans) {
    json kept = json::array();
    for (const json& one : plans.at("cases")) {
      if (!one.at("case").get<std::string>().starts_with("tiled/")) kept.push_back(one);
    }
    plans["cases"] = kept;
  });
  const Ran ran = gate("fewer");
  EXPECT_EQ(ran.code, 6) << ran.out << ran.err;
  EXPECT_NE(ran.out.find("MISSING"), std::string::npos);
  EXPECT_EQ(gate("fewer", "--allow-missing tiled/fwd_m16_k256_n256_r8_f32_acc").code, 0);
  EXPECT_EQ(gate("fewer", "--allow-missing tiled/m16_k256_n256_r8_f32_acc").code, 0);
  const Ran other = gate("fewer", "--allow-missing tiled/fwd_m16_k256_n256_r9_f32_acc");
  EXPECT_EQ(other.code, 6);
  EXPECT_NE(other.err.find("no selected case has this name"), std::string::npos) << other.err;
  for (const char* nonsense : {"tiled", "tiled/fwd", "m16_k256_n256_r8_f32_acc"}) {
    EXPECT_EQ(gate("fewer", std::string("--allow-missing ") + nonsense).code, 2) << nonsense;
  }
}

// Takes a variant's cases away, so that the other side's are new or missing.
TEST_F(GateRun, AVariantOfOneSideOnlyIsNewOrMissingWhereItIsNamed) {
  export_plans();
  plant("without", [](json& plans) {
    json kept = json::array();
    for (const json& one : plans.at("cases")) {
      if (!one.at("case").get<std::string>().starts_with("tiled/")) kept.push_back(one);
    }
    plans["cases"] = kept;
  });
  plant("renamed", [](json& plans) {
    for (json& one : plans.at("cases")) {
      auto name = one.at("case").get<std::string>();
      if (name.starts_with("tiled/")) one["case"] = "removed" + name.substr(5);
    }
  });
  const std::string out = " --out " + path("gate.json") + kSelect;
  const Ran added = run("--gate " + path("without") + " --variants tiled" + out);
  EXPECT_EQ(added.code, 0) << added.out << added.err;
  EXPECT_NE(added.out.find("NEW            tiled/"), std::string::npos) << added.out;
  const Ran removed = run("--gate " + path("renamed") + " --variants removed" + out);
  EXPECT_EQ(removed.code, 6) << removed.out << removed.err;
  EXPECT_NE(removed.out.find("MISSING        removed/"), std::string::npos) << removed.out;
  EXPECT_EQ(removed.out.find("tiled/"), std::string::npos) << "not selected";
  EXPECT_EQ(gate("renamed", "--variants removed").code, 0);
  const Ran nobody = run("--gate " + path("base") + " --variants tilde" + out);
  EXPECT_EQ(nobody.code, 2);
  EXPECT_NE(nobody.err.find("neither the base nor the candidate has a variant 'tilde'"),
            std::string::npos)
      << nobody.err;
}

TEST_F(GateRun, InterruptedGives130AndTheCasesThatAreWhole) {
  const Words select = {"--device",   "Portable Computing Language",
                        "--problem",  "m16_k256_n256_r8_f32_acc,m1_k256_n256_r8_f32_acc",
                        "--variants", "naive,split"};
  ASSERT_EQ(Process(folder_, Words{"--export-plans", "base"} + select, {}).wait().code, 0);
  Process process(
      folder_, Words{"--gate", "base", "--time-unchanged", "--json", "--out", "gate.json"} + select,
      {"GITHUB_STEP_SUMMARY="});
  while (read_bytes(folder_ / "stderr").find("\n2/") == std::string::npos) {
    ASSERT_TRUE(process.running());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  process.signal(SIGINT);
  const Result result = process.wait();
  EXPECT_EQ(result.code, 130) << result.err;
  EXPECT_EQ(result.out, read_bytes(path("gate.json")));
  const json gate = json::parse(result.out);
  EXPECT_TRUE(gate.at("interrupted"));
  EXPECT_EQ(gate.at("verdict"), "INTERRUPTED");
  EXPECT_GE(gate.at("cases").size(), 2U);
  EXPECT_LT(gate.at("cases").size(), 8U) << "two problems' naive, split, pick and pack";
  for (const json& one : gate.at("cases")) EXPECT_NE(one.at("verdict"), "FAULT") << one.dump();
  const Ran again =
      run("--replay " + path("gate.json") + " --json", "OCL_ICD_VENDORS=/nonexistent");
  EXPECT_EQ(again.code, 130);
  EXPECT_EQ(again.out, result.out);
}

// Without a device, so that what is refused was refused before any work.
TEST_F(GateRun, FilesThatMayNotBeWrittenAreRefusedBeforeTheWork) {
  export_plans();
  write_bytes(path("notes"), "precious");
  std::filesystem::create_symlink("/proc/loratune-test", path("nowhere"));
  const std::string gate = "--gate " + path("base") + kSelect;
  const std::string fine = " --out " + path("gate.json");
  for (const std::string& arguments :
       {gate + " --out " + path("notes"), gate + " --out " + path("absent/g"),
        gate + " --out " + path("nowhere"), gate + " --out " + path("base"),
        gate + fine + " --junit " + path("absent/j"), gate + fine + " --markdown /dev/full",
        gate + fine + " --junit " + path("gate.json"), "--export-plans " + path("notes") + kSelect,
        "--export-plans " + path("absent/p") + kSelect}) {
    const Ran ran = run(arguments, "OCL_ICD_VENDORS=/nonexistent");
    EXPECT_EQ(ran.code, 2) << arguments << ": " << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
  EXPECT_EQ(run(gate + fine, "OCL_ICD_VENDORS=/nonexistent GITHUB_STEP_SUMMARY=/absent/s").code, 2);
  EXPECT_EQ(read_bytes(path("notes")), "precious");
  EXPECT_FALSE(std::filesystem::exists(path("gate.json")));
}

TEST_F(GateRun, AReportIsWrittenOverNoOtherFile) {
  export_plans();
  const std::string plans = read_bytes(path("base"));
  write_bytes(path("notes"), "## precious\n");
  write_bytes(path("keys"), "m16_k256_n256_r8_f32_acc\n");
  write_bytes(path("empty"), "");
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  const std::string gate = "--gate " + path("base") + " --device 'Portable Computing Language'" +
                           " --problems " + path("keys") + " --variants naive";
  const std::string out = " --out " + path("gate.json");
  const auto refused = [&](const std::string& arguments, const std::string& summary = "") {
    const Ran ran = run(arguments, summary.empty() ? "" : "GITHUB_STEP_SUMMARY=" + path(summary));
    EXPECT_EQ(ran.code, 2) << arguments << summary << ": " << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  };
  refused(gate + out + " --markdown " + path("keys"));
  refused(gate + " --out " + path("keys"));
  refused(gate + out + " --markdown " + path("notes"));
  refused(gate + out + " --junit " + path("notes"));
  refused(gate + out, "base");
  refused(gate + out, "keys");
  refused(gate + out, "gate.json");
  refused(gate + out, "fifo");
  EXPECT_EQ(read_bytes(path("base")), plans);
  EXPECT_EQ(read_bytes(path("keys")), "m16_k256_n256_r8_f32_acc\n");
  EXPECT_EQ(read_bytes(path("notes")), "## precious\n");
  const std::string files = " --markdown " + path("empty") + " --junit " + path("junit");
  for (int time = 0; time < 2; ++time) {  // over nothing, and over what it wrote
    const Ran ran = run(gate + out + files, "GITHUB_STEP_SUMMARY=" + path("notes"));
    EXPECT_EQ(ran.code, 0) << ran.err;
  }
  const std::string markdown = read_bytes(path("empty"));
  EXPECT_EQ(read_bytes(path("notes")), "## precious\n" + markdown + markdown);
  refused("--replay " + path("gate.json") + " --junit " + path("notes"));
  refused("--replay " + path("gate.json") + " --markdown " + path("junit"));
}

TEST_F(GateRun, PlansOfAnotherVersionAreWrittenOver) {
  export_plans();
  const std::string plans = read_bytes(path("base"));
  plant("base", [](json& earlier) { earlier["version"] = 0; });
  export_plans();
  EXPECT_EQ(read_bytes(path("base")), plans);
}

// A limit of file size stands for a disk that became full: what is tried is empty and fits.
TEST_F(GateRun, TheVerdictIsPrintedWhereAFileCannotBeWrittenInTheEnd) {
  export_plans();
  const Ran good = run("--gate " + path("base") + kSelect + " --out " + path("gate.json"));
  ASSERT_EQ(good.code, 0) << good.err;
  const Ran full =
      run("--replay " + path("gate.json") + " --junit " + path("junit"),
          "f() { (ulimit -f 0; trap '' XFSZ; \"$@\" 2>&1; echo \"exit $?\") | cat; }; f");
  EXPECT_EQ(full.out.rfind(good.out, 0), 0U) << full.out;
  EXPECT_NE(full.out.find("lora-bench: " + path("junit")), std::string::npos) << full.out;
  EXPECT_TRUE(full.out.ends_with("exit 2\n")) << full.out;
  const Ran lost = run("--gate " + path("base") + kSelect + " --out " + path("gate.json"),
                       "GITHUB_STEP_SUMMARY=/dev/full");
  EXPECT_EQ(lost.code, 2) << lost.err;
  EXPECT_NE(lost.out.find("UNCHANGED"), std::string::npos) << lost.out;
  EXPECT_NE(lost.err.find("'/dev/full', of GITHUB_STEP_SUMMARY, cannot be appended to"),
            std::string::npos)
      << lost.err;
}

// As the system's killer of processes without memory may end a sound worker.
TEST_F(GateRun, AnArmThatLosesItsWorkerOnceWhileItIsPreparedIsPreparedAgain) {
  const std::string pocl = " --device 'Portable Computing Language' --variants naive --problem ";
  const std::string known = "m16_k64_n64_r8_f32_acc";
  const std::string added = "m17_k64_n64_r8_f32_acc";
  ASSERT_EQ(run("--export-plans " + path("base") + pocl + known).code, 0);
  const json plans = json::parse(read_bytes(path("base")));
  // The sentinels have kernels of other names.
  const auto kernel = plans.at("cases").at(0).at("plan").at("launches").at(0).at("kernel");
  std::string environment = "LORATUNE_ONCE=" + path("once");
  for (const std::string& variable : with_fault("once:" + kernel.get<std::string>())) {
    environment.append(" ").append(variable);
  }
  const std::string gate = "--gate " + path("base") + " --out " + path("gate.json") + pocl;
  // A case that the base has, of which the base's arm is prepared first; and one that is new, of
  // which the candidate's is.
  for (const std::string& selected : {known + " --time-unchanged --looks 8", added}) {
    std::filesystem::remove(path("once"));
    const Ran ran = run(gate + selected, environment);
    EXPECT_TRUE(std::filesystem::exists(path("once"))) << "no process was ended";
    EXPECT_NE(ran.code, 5) << ran.out << ran.err;
    EXPECT_EQ(ran.out.find("BASE_UNUSABLE"), std::string::npos) << ran.out;
    EXPECT_EQ(ran.out.find("FAULT"), std::string::npos) << ran.out;
  }
}

// What a pool takes is the packing of one slot; with DoRA g is packed as well.
TEST_F(GateRun, ThePackingOfPoolsAndOfDoraIsTimed) {
  const std::string select =
      " --device 'Portable Computing Language' --variants naive"
      " --problem m16_k64_n64_r8_f32_acc_a4,m16_k64_n64_r8_f32_acc_dora";
  ASSERT_EQ(run("--export-plans " + path("base") + select).code, 0);
  const Ran ran = run("--gate " + path("base") + " --time-unchanged --looks 8 --out " +
                      path("gate.json") + select);
  const json result = json::parse(read_bytes(path("gate.json")));
  int packs = 0;
  for (const json& one : result.at("cases")) {
    if (!one.at("case").get<std::string>().starts_with("pack/")) continue;
    ++packs;
    EXPECT_NE(one.at("verdict"), "FAULT") << one.dump();
  }
  EXPECT_EQ(packs, 2) << ran.out << ran.err;
}

// No row, and more than any device holds.
TEST_F(GateRun, WhatCannotBeTimedIsRefused) {
  for (const std::string key : {"m0_k64_n64_r8_f32_acc", "m2147483647_k1024_n1024_r8_f32_acc"}) {
    const std::string select =
        " --device 'Portable Computing Language' --variants split --problem " + key;
    ASSERT_EQ(run("--export-plans " + path("base") + select).code, 0);
    const Ran ran = run("--gate " + path("base") + " --time-unchanged --out " + path("g") + select);
    EXPECT_EQ(ran.code, 2) << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
}

TEST_F(GateRun, NothingSelectedAndUnreadableInputAre2) {
  export_plans();
  const std::string pocl = " --device 'Portable Computing Language'";
  const Ran none =
      run("--gate " + path("base") + pocl + " --problem m3_k64_n64_r4_f32_acc --out " + path("g"));
  EXPECT_EQ(none.code, 2);
  EXPECT_EQ(run("--gate " + path("absent") + pocl).code, 2);
  plant("newer", [](json& plans) { plans["version"] = 2; });
  plant("other", [](json& plans) { plans["device"]["driver"] = "0.0"; });
  write_bytes(path("torn"), read_bytes(path("base")).substr(0, 500));
  plant("twice", [](json& plans) { plans["cases"].push_back(plans["cases"][0]); });
  for (const char* name : {"newer", "other", "torn", "twice"}) {
    const Ran ran = gate(name);
    EXPECT_EQ(ran.code, 2) << name << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << name << ": " << ran.err;
  }
}

// Work doubled: red on any machine that can be measured on at all.
TEST_F(GateRun, ASlowKernelIs1AndAReplayPrintsTheSameWithoutADevice) {
  const std::string select =
      " --device 'Portable Computing Language' --problem m128_k512_n512_r16_f32_set";
  ASSERT_EQ(run("--export-plans " + path("base") + select).code, 0);
  ASSERT_EQ(run("--export-plans " + path("slow") + " --repeat-work 300" + select).code, 0);
  const std::string common = " --variants split --out " + path("gate.json") + select;
  const Ran ran = run("--gate " + path("base") + " --against " + path("slow") + " --junit " +
                          path("junit") + " --markdown " + path("markdown") + common,
                      "GITHUB_STEP_SUMMARY=" + path("summary"));
  EXPECT_TRUE(ran.code == 1 || ran.code == 3) << ran.out << ran.err;
  if (ran.code == 1) {
    EXPECT_NE(ran.out.find("REGRESSED"), std::string::npos);
    EXPECT_NE(read_bytes(path("junit")).find("<failure"), std::string::npos);
  }
  EXPECT_EQ(read_bytes(path("summary")), read_bytes(path("markdown")));
  const Ran again = run("--replay " + path("gate.json") + " --junit " + path("junit2") +
                            " --markdown " + path("markdown2"),
                        "OCL_ICD_VENDORS=/nonexistent");
  EXPECT_EQ(again.code, ran.code);
  EXPECT_EQ(again.out, ran.out);
  EXPECT_EQ(read_bytes(path("junit2")), read_bytes(path("junit")));
  EXPECT_EQ(read_bytes(path("markdown2")), read_bytes(path("markdown")));

  const Ran faster = run("--gate " + path("slow") + " --against " + path("base") + common);
  EXPECT_TRUE(faster.code == 0 || faster.code == 3) << faster.out;
  if (faster.code == 0) {
    EXPECT_NE(faster.out.find("IMPROVED"), std::string::npos);
  }
}

}  // namespace
}  // namespace loratune
