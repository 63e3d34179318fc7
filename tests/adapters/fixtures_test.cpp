// Adapters that PEFT, mlx-lm, llama.cpp's converter and the gguf package wrote, and what their own
// layers make of them in float64: scripts/fixtures/ has made tests/data/adapters.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "adapters/adapter_files.h"
#include "loratune/adapters/adapter_set.h"
#include "loratune/adapters/lora_linear.h"
#include "loratune/adapters/save_adapter.h"
#include "loratune/adapters/tensor_file.h"

namespace loratune {
namespace {

namespace fs = std::filesystem;

const fs::path kFixtures = fs::path(LORATUNE_SOURCE_DIR) / "tests/data/adapters";

std::vector<std::string> fixtures(bool refused) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kFixtures)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("refused_") == refused) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

LoadedAdapter load(const std::string& name, const LoadOptions& options = {}) {
  return load_adapter((kFixtures / name).string(), options);
}

class Fixture : public testing::TestWithParam<std::string> {};
class RefusedFixture : public testing::TestWithParam<std::string> {};

// The largest error of forward_host() on a module, over what the tool's own layer gives, and how
// large it may be: 1e-5 of the largest y, or two roundings of f16.
void expect_agrees(const LoraModule& module, const fs::path& file) {
  const LoadedTensors loaded = load_safetensors(file.string());
  ASSERT_TRUE(loaded.file) << loaded.error;
  std::map<std::string, std::vector<float>> arrays;
  Element element = Element::f32;
  for (const Tensor& tensor : loaded.file->tensors) {
    element = *tensor.element;
    arrays[std::string(tensor.name)] = to_floats(element, tensor.bytes);
  }
  const std::vector<float>& want = arrays.at("y");
  std::vector<float> y = arrays.at("base");
  const auto m = static_cast<std::int64_t>(y.size()) / module.out();
  forward_host(lora_linear(module), m, arrays.at("x"), y);
  double largest = 0;
  double error = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(want[i])));
    error = std::max(error, std::fabs(static_cast<double>(rounded(element, y[i])) - want[i]));
  }
  EXPECT_GT(largest, 0);
  EXPECT_LE(error, largest * (element == Element::f16 ? 2 * 0x1p-11 : 1e-5)) << file;
}

TEST_P(Fixture, ComputesWhatItsOwnToolDoes) {
  const LoadedAdapter loaded = load(GetParam());
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  std::size_t modules = 0;
  for (const auto& entry : fs::directory_iterator(kFixtures / GetParam() / "expected")) {
    std::string why;
    const LoraModule* module = find_module(*loaded.adapter, entry.path().stem().string(), why);
    ASSERT_NE(module, nullptr) << why;
    EXPECT_TRUE(module->matched) << module->path;
    expect_agrees(*module, entry.path());
    ++modules;
  }
  EXPECT_EQ(modules, loaded.adapter->modules.size());
}

// Each other format either holds the adapter with nothing lost, or says why not.
TEST_P(Fixture, IsConvertedAndBackWithNothingLost) {
  const LoadedAdapter loaded = load(GetParam());
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  SaveOptions saving;
  saving.heads = 4;
  saving.heads_kv = 2;
  if (!unused_option(*loaded.adapter, Format::peft, saving).empty()) saving = {};
  int held = 0;
  for (const Format format : {Format::peft, Format::mlx_lm, Format::go_mlx}) {
    const TemporaryFolder folder;
    const std::string there = (folder / "there").string();
    const std::string back = (folder / "back").string();
    const std::string error = save_adapter(*loaded.adapter, format, there, saving);
    if (!error.empty()) {
      EXPECT_SAYS(error, "cannot be written");
      EXPECT_EQ(folder.files(), 0);
      continue;
    }
    ++held;
    const LoadedAdapter other = load_adapter(there);
    ASSERT_TRUE(other.adapter) << other.error;
    ASSERT_EQ(save_adapter(*other.adapter, Format::peft, back), "");
    const LoadedAdapter again = load_adapter(back);
    ASSERT_TRUE(again.adapter) << again.error;
    ASSERT_EQ(again.adapter->modules.size(), loaded.adapter->modules.size());
    if (loaded.adapter->format == Format::gguf) continue;  // other names, and no element of blocks
    for (std::size_t i = 0; i < again.adapter->modules.size(); ++i) {
      const LoraModule& one = again.adapter->modules[i];
      const LoraModule& first = loaded.adapter->modules[i];
      EXPECT_EQ(one.path, first.path);
      EXPECT_EQ(static_cast<float>(one.scale), static_cast<float>(first.scale));
      EXPECT_EQ(rows_of(one.a), rows_of(first.a));
      EXPECT_EQ(rows_of(one.b), rows_of(first.b));
    }
  }
  EXPECT_GE(held, 1) << "PEFT can say all of them";
}

TEST_P(RefusedFixture, IsRefusedInWords) {
  const LoadedAdapter loaded = load(GetParam());
  EXPECT_FALSE(loaded.adapter);
  EXPECT_SAYS(loaded.error, kFixtures.string());
  EXPECT_SAYS(loaded.error, "key '");
}

INSTANTIATE_TEST_SUITE_P(Tools, Fixture, testing::ValuesIn(fixtures(false)),
                         [](const auto& fixture) { return fixture.param; });
INSTANTIATE_TEST_SUITE_P(Tools, RefusedFixture, testing::ValuesIn(fixtures(true)),
                         [](const auto& fixture) { return fixture.param; });

TEST(Fixtures, LenientReadingKeepsThePlainPart) {
  LoadOptions lenient;
  lenient.lenient = true;
  const LoadedAdapter loaded = load("refused_modules_to_save", lenient);
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  EXPECT_EQ(loaded.adapter->modules.size(), 4U);
  EXPECT_FALSE(loaded.adapter->skipped.empty());
}

// llama.cpp's converter made the one of the other.
TEST(Fixtures, WhatLlamaCppsConverterMadeComesBackToTheSameBytes) {
  const LoadedAdapter of_gguf = load("llama_gguf_f32");
  ASSERT_TRUE(of_gguf.adapter) << of_gguf.error;
  const LoadedAdapter of_peft = load("llama_peft");
  ASSERT_TRUE(of_peft.adapter) << of_peft.error;
  const TemporaryFolder folder;
  SaveOptions saving;
  saving.heads = 4;
  saving.heads_kv = 2;
  ASSERT_EQ(save_adapter(*of_gguf.adapter, Format::peft, (folder / "x").string(), saving), "");
  const LoadedAdapter back = load_adapter((folder / "x").string());
  ASSERT_TRUE(back.adapter) << back.error;
  ASSERT_EQ(back.adapter->modules.size(), of_peft.adapter->modules.size());
  for (std::size_t i = 0; i < back.adapter->modules.size(); ++i) {
    const LoraModule& one = back.adapter->modules[i];
    const LoraModule& other = of_peft.adapter->modules[i];
    EXPECT_EQ(one.path, other.path);
    EXPECT_EQ(one.scale, other.scale);
    EXPECT_EQ(rows_of(one.a), rows_of(other.a)) << one.path;
    EXPECT_EQ(rows_of(one.b), rows_of(other.b)) << one.path;
  }
}

// The rows of a query's heads are turned back to the model's order.
TEST(Fixtures, LlamaCppsOrderOfRowsIsUndoneWithTheHeads) {
  const LoadedAdapter loaded = load("gguf_f16");
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  const TemporaryFolder folder;
  EXPECT_SAYS(save_adapter(*loaded.adapter, Format::peft, (folder / "x").string()),
              "say the heads");
  SaveOptions saving;
  saving.heads = 4;
  saving.heads_kv = 2;
  ASSERT_EQ(save_adapter(*loaded.adapter, Format::peft, (folder / "x").string(), saving), "");
  const LoadedAdapter turned = load_adapter((folder / "x").string());
  ASSERT_TRUE(turned.adapter) << turned.error;
  std::string why;
  const LoraModule* of_file = find_module(*loaded.adapter, "blk.0.attn_q", why);
  const LoraModule* of_model = find_module(*turned.adapter, "model.layers.0.self_attn.q_proj", why);
  ASSERT_TRUE(of_file != nullptr && of_model != nullptr) << why;
  // 32 rows in 4 heads: rows 0, 2, 4, 6 of the file are the first half of head 0.
  const std::vector<float> file = values_of(of_file->b);
  const std::vector<float> model = values_of(of_model->b);
  const auto row = [&](const std::vector<float>& b, std::int64_t i) {
    const auto first = b.begin() + i * of_file->rank();
    return std::vector<float>(first, first + of_file->rank());
  };
  EXPECT_EQ(row(model, 1), row(file, 2));
  EXPECT_EQ(row(model, 4), row(file, 1));
  EXPECT_EQ(row(model, 7), row(file, 7));
  EXPECT_EQ(row(model, 8), row(file, 8));
}

}  // namespace
}  // namespace loratune
