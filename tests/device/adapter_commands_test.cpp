// lora-bench on adapters, as a user runs it.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "adapters/adapter_files.h"
#include "device/process.h"
#include "loratune/adapters/tensor_file.h"

namespace loratune {
namespace {

using nlohmann::json;

const std::string kFixtures = std::string(LORATUNE_SOURCE_DIR) + "/tests/data/adapters/";
const std::string kPlain = kFixtures + "peft_plain";
const std::string kModule = "model.layers.0.self_attn.q_proj";
const std::string kExpected = kPlain + "/expected/" + kModule + ".safetensors";
const std::string kPocl = "Portable Computing Language";
const Words kNoDevice = {"OCL_ICD_VENDORS=/nonexistent"};

class AdapterCommands : public testing::Test {
 protected:
  Result run(const Words& words, const Words& environment = kNoDevice) {
    return Process(folder_, words, environment).wait();
  }

  // Ends with 2 and one line that says this, and leaves no file behind.
  void expect_refused(const Words& words, const std::string& part) {
    const Result result = run(words);
    EXPECT_EQ(result.code, 2) << testing::PrintToString(words) << result.err;
    EXPECT_EQ(complaints(result), 1) << result.err;
    EXPECT_SAYS(result.err, part);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
  }

  // y of --forward on the module's expected x and base.
  void expect_forward(const std::string& adapter, const std::string& module, const Words& more,
                      const Words& environment) {
    const std::string file = adapter + "/expected/" + module + ".safetensors";
    const Result result = run(Words{"--forward", "--adapter", adapter, "--module", module, "--x",
                                    file, "--base", file, "--out", "y"} +
                                  more,
                              environment);
    ASSERT_EQ(result.code, 0) << result.err;
    const LoadedTensors made = load_safetensors((folder_ / "y").string());
    ASSERT_TRUE(made.file) << made.error;
    const LoadedTensors expected = load_safetensors(file);
    ASSERT_TRUE(expected.file) << expected.error;
    for (const Tensor& tensor : expected.file->tensors) {
      if (tensor.name != "y") continue;
      const std::vector<float> want = to_floats(*tensor.element, tensor.bytes);
      const std::vector<float> got =
          to_floats(*made.file->tensors.at(0).element, made.file->tensors.at(0).bytes);
      ASSERT_EQ(got.size(), want.size());
      float largest = 0;
      float error = 0;
      for (std::size_t i = 0; i < got.size(); ++i) {
        largest = std::max(largest, std::abs(want[i]));
        error = std::max(error, std::abs(want[i] - got[i]));
      }
      const bool half = *tensor.element == Element::f16;
      EXPECT_LE(error, largest * (half ? 2 * 0x1p-11F : 1e-5F)) << file;
    }
  }

  TemporaryFolder folder_;
};

TEST_F(AdapterCommands, ListShowsEachModule) {
  const Result result = run({"--list", "--adapter", kPlain});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_SAYS(result.out, kModule);
  EXPECT_SAYS(result.out, "48 -> 40");
  const Result as_json = run({"--list", "--adapter", kPlain, "--json"});
  const json listed = json::parse(as_json.out);
  EXPECT_EQ(listed["format"], "peft");
  ASSERT_EQ(listed["modules"].size(), 4U);
  EXPECT_EQ(listed["modules"][0], json({{"path", kModule},
                                        {"in", 48},
                                        {"out", 40},
                                        {"rank", 4},
                                        {"alpha", 8.0},
                                        {"scale", 2.0},
                                        {"dtype", "f32"},
                                        {"matched", true}}));
}

// A module is named to --module as JSON has it.
TEST_F(AdapterCommands, ListAsJsonHasEachPathAsItIs) {
  const std::string path = "caf\xc3\xa9\\.q_proj";
  std::filesystem::create_directory(folder_ / "adapter");
  write_bytes(folder_ / "adapter/adapter_config.json",
              R"({"peft_type": "LORA", "r": 4, "target_modules": ["q_proj"]})");
  write_bytes(folder_ / "adapter/adapter_model.safetensors",
              safetensors(peft_pair("caf\xc3\xa9\\\\.q_proj", 4, 4, 4)));
  const Result listed = run({"--list", "--adapter", "adapter", "--json"});
  ASSERT_EQ(listed.code, 0) << listed.err;
  EXPECT_EQ(json::parse(listed.out)["modules"][0]["path"], path);
  EXPECT_SAYS(run({"--list", "--adapter", "adapter"}).out, "caf\\xc3\\xa9\\x5c.q_proj");
}

TEST_F(AdapterCommands, BadInputIs2WithOneLine) {
  expect_refused({"--list", "--adapter", "absent"}, "absent: cannot be read");
  expect_refused({"--list", "--adapter", kFixtures + "refused_dora"}, "DoRA");
  expect_refused({"--check", "--adapter", kFixtures + "refused_bias"}, "key 'lora_bias'");
  expect_refused({"--sweep", "--adapter", "absent", "--out", "out"}, "absent");
  expect_refused({"--list", "--adapter", kPlain, "--format", "pef"}, "there are peft, mlx-lm");
  expect_refused({"--list", "--adapter", kPlain, "--alpha", "nan"}, "a finite number is wanted");
  expect_refused({"--list", "--adapter", kPlain, "--alpha", "3"}, "says its own rank and alpha");
  expect_refused({"--list", "--adapter", kPlain, "--tokens", "3"}, "--tokens is not for");
  expect_refused({"--list", "--lenient"}, "--lenient is for --adapter");
  expect_refused({"--check", "--adapter", kPlain, "--ranks", "4"}, "--adapter says shapes");
  expect_refused({"--check", "--adapter", kPlain, "--module", "k_proj"}, "no module 'k_proj'");
  expect_refused({"--check", "--adapter", kFixtures + "peft_bf16", "--dtypes", "f16"},
                 "which f16 cannot");
  expect_refused({"--forward", "--adapter", kPlain}, "--forward wants --out");
  const Words forward = {"--forward", "--adapter", kPlain, "--out", "out", "--module"};
  expect_refused(forward + Words{kModule}, "wants --x");
  expect_refused(forward + Words{kModule, "--x", "absent"}, "--x: absent");
  expect_refused(forward + Words{"v_proj", "--x", kExpected}, "may be");
  expect_refused(forward + Words{kModule, "--x", kPlain + "/adapter_model.safetensors"},
                 "holds 8 tensors, expected one");
  expect_refused(forward + Words{kModule, "--x", kExpected, "--base",
                                 kPlain + "/expected/model.layers.0.self_attn.v_proj.safetensors"},
                 "expected rows of 40");
  const Words convert = {"--convert", "--adapter", kPlain, "--out", "out"};
  expect_refused(convert, "wants --to");
  expect_refused(convert + Words{"--to", "mlx-lm", "--heads", "7,7"}, "--heads is for the queries");
  expect_refused(convert + Words{"--to", "gguf"}, "there are peft, mlx-lm, go-mlx");
  expect_refused(
      {"--convert", "--adapter", kFixtures + "peft_patterns", "--out", "out", "--to", "mlx-lm"},
      "has one for all modules");
}

TEST_F(AdapterCommands, ConvertWritesAFolderAndNeverOverOne) {
  const Words convert = {"--convert", "--adapter", kPlain, "--out", "out", "--to", "mlx-lm"};
  const Result result = run(convert);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(run({"--list", "--adapter", "out"}).code, 0);
  const Result again = run(convert);
  EXPECT_EQ(again.code, 2);
  EXPECT_SAYS(again.err, "exists already");
  EXPECT_EQ(run({"--convert", "--adapter", "out", "--out", "back", "--to", "peft"}).code, 0);
}

TEST_F(AdapterCommands, ForwardDoesNotWriteOverTheAdapter) {
  const Words convert = {"--convert", "--adapter", kPlain, "--out", "mine", "--to", "peft"};
  ASSERT_EQ(run(convert).code, 0);
  const std::string file = "mine/adapter_model.safetensors";
  for (const std::string& adapter : {std::string("mine"), file}) {
    const Words forward = {"--forward", "--host", "--adapter", adapter, "--module", kModule};
    expect_refused(forward + Words{"--x", kExpected, "--out", file}, "is the file of --adapter");
  }
  EXPECT_EQ(run({"--list", "--adapter", "mine"}).code, 0);
}

TEST_F(AdapterCommands, ForwardWritesOverNothingButAProduct) {
  const Words forward = {"--forward", "--host", "--adapter", kPlain, "--module",
                         kModule,     "--x",    kExpected,   "--out"};
  write_bytes(folder_ / "empty", "");
  for (const char* name : {"empty", "new"}) {
    EXPECT_EQ(run(forward + Words{name}).code, 0) << name;
    EXPECT_EQ(run(forward + Words{name}).code, 0) << "its own " << name;
  }
  std::filesystem::copy_file(kExpected, folder_ / "weights");
  write_bytes(folder_ / "notes", "mine\n");
  for (const char* name : {"weights", "notes"}) {
    const std::string before = read_bytes(folder_ / name);
    expect_refused(forward + Words{name}, "exists and is no y of --forward");
    EXPECT_EQ(read_bytes(folder_ / name), before);
  }
}

TEST_F(AdapterCommands, ForwardDropsNoOption) {
  const Words forward = {"--forward", "--adapter", kPlain,  "--module", kModule,
                         "--x",       kExpected,   "--out", "out"};
  expect_refused(forward + Words{"--host", "--device", "0"}, "--device is not for --host");
  expect_refused(forward + Words{"--host", "--tuned", "t"}, "--tuned is not for --host");
  expect_refused(forward + Words{"--host", "--mode", "deterministic"}, "--mode is not for --host");
  write_bytes(folder_ / "t", "{}");
  expect_refused({"--forward", "--adapter", kPlain, "--module", kModule, "--x", kExpected,
                  "--tuned", "t", "--out", "t"},
                 "is the file of --tuned");
  expect_refused(forward + Words{"--tuned", "absent"}, "absent");
  EXPECT_EQ(run(forward + Words{"--device", "0"}).code, 77) << "the device that was asked for";
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

TEST_F(AdapterCommands, ForwardAgreesWithTheAdaptersOwnTool) {
  expect_forward(kPlain, kModule, {"--host"}, kNoDevice);
  expect_forward(kPlain, kModule, {}, kNoDevice);  // without a device it says so and goes on
  expect_forward(kFixtures + "gguf_q8_0", "blk.0.attn_v", {"--host"}, kNoDevice);
}

TEST_F(AdapterCommands, ForwardWithoutABaseIsTheProductAlone) {
  ASSERT_EQ(run({"--forward", "--adapter", kFixtures + "peft_alpha_zero", "--module", kModule,
                 "--x", kExpected, "--out", "y", "--host"})
                .code,
            0);
  const LoadedTensors made = load_safetensors((folder_ / "y").string());
  ASSERT_TRUE(made.file) << made.error;
  EXPECT_EQ(shape_text(made.file->tensors.at(0)), "[3, 40]");
  for (const float value : to_floats(Element::f32, made.file->tensors[0].bytes)) {
    EXPECT_EQ(value, 0);
  }
}

TEST_F(AdapterCommands, OnPoclEveryToolsAdapterIsComputedAndChecked) {
  for (const char* name : {"peft_f16", "mlx_plain", "mlx_f16", "peft_bf16", "peft_rslora"}) {
    expect_forward(kFixtures + name, kModule, {"--device", kPocl}, {});
  }
  expect_forward(kFixtures + "gguf_q4_0", "blk.1.ffn_down", {"--device", kPocl}, {});
  const Result check = run({"--check", "--adapter", kFixtures + "mlx_keys", "--tokens", "3",
                            "--device", kPocl, "--json"},
                           {});
  ASSERT_EQ(check.code, 0) << check.err;
  for (const json& row : json::parse(check.out)) {
    EXPECT_EQ(row["cases"], 4) << row;
    EXPECT_TRUE(row["failures"].empty()) << row;
  }
}

TEST_F(AdapterCommands, OnPoclASweepSaysWhatThePassGains) {
  const Result sweep = run({"--sweep", "--adapter", kPlain, "--tokens", "2", "--budget", "2s",
                            "--device", kPocl, "--out", "tuned.json"},
                           {});
  ASSERT_EQ(sweep.code, 0) << sweep.err;
  EXPECT_SAYS(sweep.err, "pass through 4 modules, 2 tokens, f32: ");
  const json tuned = json::parse(read_bytes(folder_ / "tuned.json"));
  EXPECT_EQ(tuned["records"].size(), 2U) << "two shapes";
}

}  // namespace
}  // namespace loratune
