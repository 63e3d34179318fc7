// PEFT's adapters with DoRA: read with their magnitudes where that is asked for, else refused.
#include <gtest/gtest.h>

#include <cmath>

#include "adapter_files.h"
#include "loratune/adapters/dora.h"
#include "loratune/adapters/save_adapter.h"

namespace loratune {
namespace {

const LoadOptions kWithDora = {.dora = true};
const std::string kModule = "model.layers.0.self_attn.q_proj";
const std::string kConfig =
    R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_dora": true, "target_modules": ["q_proj"]})";

// PEFT's key holds a vector. `adapter` is the adapter's name in the keys of the pair.
std::string with_magnitude(std::int64_t rows, const std::string& key = ".lora_magnitude_vector",
                           const std::string& adapter = "") {
  const auto of = [](std::int64_t count) {
    std::string data;
    for (std::int64_t i = 0; i < count; ++i) data += bytes_of(static_cast<float>(i + 1));
    return data;
  };
  const std::string name = "\"" + kPrefix + kModule;
  const auto entry = [](const std::string& shape, std::int64_t begin, std::int64_t end) {
    return R"(":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":[)" + std::to_string(begin) +
           "," + std::to_string(end) + "]}";
  };
  return safetensors("{" + name + ".lora_A" + adapter + ".weight" + entry("[4,8]", 0, 128) + "," +
                         name + ".lora_B" + adapter + ".weight" + entry("[7,4]", 128, 240) + "," +
                         name + key + entry("[" + std::to_string(rows) + "]", 240, 240 + 4 * rows) +
                         "}",
                     of(32) + of(28) + of(rows));
}

TEST(PeftDora, OfPeftItselfIsReadWhereItIsAskedFor) {
  const std::string folder = std::string(LORATUNE_SOURCE_DIR) + "/tests/data/adapters/refused_dora";
  EXPECT_SAYS(load_adapter(folder).error, "DoRA");
  const LoadedAdapter loaded = load_adapter(folder, kWithDora);
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  ASSERT_EQ(loaded.adapter->modules.size(), 4U);
  for (const LoraModule& module : loaded.adapter->modules) {
    const std::vector<float> magnitude = values_of(module.magnitude);
    ASSERT_EQ(magnitude.size(), static_cast<std::size_t>(module.out())) << module.path;
    const LoraLinear layer = lora_linear(module);
    const std::vector<float> w(static_cast<std::size_t>(layer.out * layer.in), 0.5F);
    const std::vector<float> gains = dora_gains(layer, w, magnitude);
    const std::vector<double> norms = dora_norms(layer, w);
    for (std::size_t i = 0; i < gains.size(); ++i) {
      EXPECT_NEAR(gains[i] * norms[i], magnitude[i], 1e-5 * (1 + std::fabs(magnitude[i])));
    }
  }
}

TEST(PeftDora, MagnitudesAreThoseOfTheModule) {
  const std::string key = ".lora_magnitude_vector";
  for (const auto& [magnitude, adapter] :
       {std::pair(key, ""), {key + ".weight", ""}, {key + ".default.weight", ".default"}}) {
    AdapterFolder folder;
    folder.file("adapter_config.json", kConfig)
        .file("adapter_model.safetensors", with_magnitude(7, magnitude, adapter));
    const LoadedAdapter loaded = folder.load(kWithDora);
    ASSERT_TRUE(loaded.adapter) << loaded.error;
    EXPECT_EQ(values_of(loaded.adapter->modules.front().magnitude),
              (std::vector<float>{1, 2, 3, 4, 5, 6, 7}));
  }
}

TEST(PeftDora, MagnitudesOfAnotherAdapterAreRefused) {
  AdapterFolder folder;
  folder.file("adapter_config.json", kConfig)
      .file("adapter_model.safetensors",
            with_magnitude(7, ".lora_magnitude_vector.other.weight", ".default"));
  EXPECT_SAYS(folder.load(kWithDora).error, "has the adapter name 'other', and key '" + kPrefix +
                                                kModule + ".lora_A.default.weight' has 'default'");
}

TEST(PeftDora, WhatIsMissingOrOfAnotherSizeIsRefused) {
  AdapterFolder folder;
  folder.file("adapter_config.json", kConfig);
  folder.file("adapter_model.safetensors", with_magnitude(6));
  EXPECT_SAYS(folder.load(kWithDora).error,
              "there are 6 magnitudes, expected one for each of the 7");
  folder.file("adapter_model.safetensors", safetensors(peft_pair(kModule, 8, 7, 4)));
  EXPECT_SAYS(folder.load(kWithDora).error, "its magnitudes are missing");
  // A matrix of magnitudes.
  folder.file(
      "adapter_model.safetensors",
      safetensors(peft_pair(kModule, 8, 7, 4) +
                  std::vector<Counted>{{kPrefix + kModule + ".lora_magnitude_vector", 1, 7}}));
  EXPECT_SAYS(folder.load(kWithDora).error, "expected F32, F16 or BF16 of one extent");
  // Without DoRA in the config a magnitude is a key that does not belong.
  folder.file("adapter_config.json",
              R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]})");
  EXPECT_SAYS(folder.load(kWithDora).error, "DoRA");
}

TEST(PeftDora, IsNotWrittenAsPlainLora) {
  AdapterFolder folder;
  folder.file("adapter_config.json", kConfig).file("adapter_model.safetensors", with_magnitude(7));
  const LoadedAdapter loaded = folder.load(kWithDora);
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  EXPECT_SAYS(save_adapter(*loaded.adapter, Format::peft, folder.path("written")), "DoRA");
}

}  // namespace
}  // namespace loratune
