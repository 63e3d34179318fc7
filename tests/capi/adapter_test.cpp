#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "c_api.h"
#include "unit/temporary_folder.h"

namespace loratune {
namespace {

using AdapterHandle = std::unique_ptr<loratune_adapter, decltype(&loratune_adapter_destroy)>;

const std::string kFixtures = LORATUNE_SOURCE_DIR "/tests/data/adapters/";

AdapterHandle loaded_from(const std::string& path, std::string* detail = nullptr,
                          bool lenient = false) {
  auto options = zeroed<loratune_adapter_options>();
  options.path = path.c_str();
  options.lenient = lenient ? 1 : 0;
  Text text;
  loratune_adapter* made = nullptr;
  loratune_adapter_load(&options, &made, text.out());
  if (detail != nullptr) *detail = text.str();
  return {made, loratune_adapter_destroy};
}

AdapterHandle loaded(const std::string& folder, std::string* detail = nullptr) {
  return loaded_from(kFixtures + folder, detail);
}

std::string notes_of(const loratune_adapter* adapter) {
  return whole_text(
      [&](loratune_text* text) { return loratune_adapter_notes(adapter, text, nullptr); });
}

std::string skipped_of(const loratune_adapter* adapter) {
  return whole_text(
      [&](loratune_text* text) { return loratune_adapter_skipped(adapter, text, nullptr); });
}

std::int32_t changes_base(const loratune_adapter* adapter) {
  std::int32_t changes = -1;
  EXPECT_EQ(loratune_adapter_changes_base(adapter, &changes), LORATUNE_SUCCESS);
  return changes;
}

loratune_module module_of(const loratune_adapter* adapter, std::size_t index) {
  auto module = zeroed<loratune_module>();
  EXPECT_EQ(loratune_adapter_module(adapter, index, &module), LORATUNE_SUCCESS);
  return module;
}

struct Values {
  std::vector<float> a, b;
};
Values factors_of(const loratune_adapter* adapter, std::size_t index) {
  const loratune_module module = module_of(adapter, index);
  Values values{std::vector<float>(static_cast<std::size_t>(module.rank * module.in)),
                std::vector<float>(static_cast<std::size_t>(module.out * module.rank))};
  auto wanted = zeroed<loratune_factors>();
  wanted.index = index;
  wanted.a = values.a.data();
  wanted.a_bytes = 4 * values.a.size();
  wanted.b = values.b.data();
  wanted.b_bytes = 4 * values.b.size();
  EXPECT_EQ(loratune_adapter_factors(adapter, &wanted, nullptr), LORATUNE_SUCCESS);
  return values;
}

TEST(CAdapter, RunsAModuleAsItsFactorsSay) {
  const AdapterHandle adapter = loaded("peft_plain");
  ASSERT_NE(adapter, nullptr);
  std::size_t index = 0;
  ASSERT_EQ(loratune_adapter_find(adapter.get(), "layers.0.self_attn.q_proj", &index, nullptr),
            LORATUNE_SUCCESS);
  const loratune_module module = module_of(adapter.get(), index);
  const auto in = static_cast<std::size_t>(module.in);
  const auto out = static_cast<std::size_t>(module.out);
  const auto rank = static_cast<std::size_t>(module.rank);
  const Values values = factors_of(adapter.get(), index);
  std::vector<float> x(2 * in), y(2 * out, 1.0F);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.01F * static_cast<float>(i % 7);
  auto call = zeroed<loratune_adapter_call>();
  call.index = index;
  call.m = 2;
  call.factor = 1;
  call.x = x.data();
  call.x_count = x.size();
  call.y = y.data();
  call.y_count = y.size();
  ASSERT_EQ(loratune_adapter_run(adapter.get(), &call, nullptr), LORATUNE_SUCCESS);
  double most = 0;
  for (std::size_t row = 0; row < 2; ++row) {
    for (std::size_t j = 0; j < out; ++j) {
      double sum = 0;
      for (std::size_t r = 0; r < rank; ++r) {
        double h = 0;
        for (std::size_t i = 0; i < in; ++i) {
          h += static_cast<double>(x[row * in + i]) * static_cast<double>(values.a[r * in + i]);
        }
        sum += h * static_cast<double>(values.b[j * rank + r]);
      }
      const double wanted = 1 + module.scale * sum;
      EXPECT_NEAR(static_cast<double>(y[row * out + j]), wanted, 1e-5 * (1 + std::abs(wanted)));
      most = std::max(most, std::abs(module.scale * sum));
    }
  }
  EXPECT_GT(most, 0);
  call.x_count -= 1;
  EXPECT_EQ(loratune_adapter_run(adapter.get(), &call, nullptr), LORATUNE_INVALID_OPERANDS);
  call.m = -1;
  EXPECT_EQ(loratune_adapter_run(adapter.get(), &call, nullptr), LORATUNE_INVALID_VALUE);
}

TEST(CAdapter, IsWrittenAndReadAgain) {
  const AdapterHandle adapter = loaded("peft_plain");
  const TemporaryFolder folder;
  const std::string path = folder / "saved";
  auto options = zeroed<loratune_save_options>();
  options.folder = path.c_str();
  options.format = LORATUNE_FORMAT_MLX_LM;
  Text detail;
  ASSERT_EQ(loratune_adapter_save(adapter.get(), &options, detail.out()), LORATUNE_SUCCESS)
      << detail.str();
  auto load = zeroed<loratune_adapter_options>();
  load.path = path.c_str();
  loratune_adapter* again = nullptr;
  ASSERT_EQ(loratune_adapter_load(&load, &again, nullptr), LORATUNE_SUCCESS);
  const AdapterHandle owned(again, loratune_adapter_destroy);
  ASSERT_EQ(loratune_adapter_module_count(again), loratune_adapter_module_count(adapter.get()));
  for (std::size_t i = 0; i < loratune_adapter_module_count(again); ++i) {
    EXPECT_EQ(factors_of(again, i).a, factors_of(adapter.get(), i).a);
    EXPECT_EQ(factors_of(again, i).b, factors_of(adapter.get(), i).b);
  }
  EXPECT_EQ(loratune_adapter_save(adapter.get(), &options, detail.out()), LORATUNE_INVALID_FILE);
  options.format = LORATUNE_FORMAT_ANY;
  EXPECT_EQ(loratune_adapter_save(adapter.get(), &options, detail.out()), LORATUNE_INVALID_VALUE);
  options.format = LORATUNE_FORMAT_GGUF;
  EXPECT_EQ(loratune_adapter_save(adapter.get(), &options, detail.out()), LORATUNE_INVALID_VALUE);
}

TEST(CAdapter, RefusesAnOptionThatItWouldDrop) {
  const AdapterHandle adapter = loaded("peft_plain");
  const TemporaryFolder folder;
  const std::string path = folder / "saved";
  auto plain = zeroed<loratune_save_options>();
  plain.folder = path.c_str();
  plain.format = LORATUNE_FORMAT_MLX_LM;
  loratune_save_options with_alpha = plain, with_heads = plain;
  with_alpha.has_alpha = 1;
  with_alpha.alpha = 8;
  with_heads.heads = 4;
  for (const auto& [options, why] : {std::pair(with_alpha, "alpha is for metal-candle"),
                                     std::pair(with_heads, "heads is for the queries")}) {
    Text detail;
    EXPECT_EQ(loratune_adapter_save(adapter.get(), &options, detail.out()), LORATUNE_INVALID_VALUE);
    EXPECT_NE(detail.str().find(why), std::string::npos) << detail.str();
    EXPECT_FALSE(std::filesystem::exists(path));
  }
}

TEST(CAdapter, SaysWhatTheUserShouldKnow) {
  const AdapterHandle plain = loaded("peft_plain");
  EXPECT_EQ(notes_of(plain.get()) + skipped_of(plain.get()), "");
  EXPECT_EQ(changes_base(plain.get()), 0);
  const AdapterHandle turned = loaded("llama_gguf_f16");
  EXPECT_NE(notes_of(turned.get()).find("order of rows, not the model's\n"), std::string::npos);
  EXPECT_EQ(changes_base(turned.get()), 0);

  const TemporaryFolder folder;
  std::filesystem::copy(kFixtures + "peft_plain", folder / "pissa");
  std::string config = read_bytes(folder / "pissa/adapter_config.json");
  const std::string said = "\"init_lora_weights\": true";
  ASSERT_NE(config.find(said), std::string::npos);
  config.replace(config.find(said), said.size(), "\"init_lora_weights\": \"pissa\"");
  write_bytes(folder / "pissa/adapter_config.json", config);
  const AdapterHandle pissa = loaded_from(folder / "pissa");
  EXPECT_EQ(changes_base(pissa.get()), 1);
  EXPECT_NE(notes_of(pissa.get()).find("'pissa'"), std::string::npos);

  const AdapterHandle part = loaded_from(kFixtures + "refused_modules_to_save", nullptr, true);
  const std::string skipped = skipped_of(part.get());
  ASSERT_NE(skipped, "");
  EXPECT_EQ(skipped.back(), '\n');

  std::int32_t changes = 0;
  Text lines;
  EXPECT_EQ(loratune_adapter_changes_base(nullptr, &changes), LORATUNE_NULL_POINTER);
  EXPECT_EQ(loratune_adapter_changes_base(plain.get(), nullptr), LORATUNE_NULL_POINTER);
  EXPECT_EQ(loratune_adapter_notes(plain.get(), nullptr, nullptr), LORATUNE_NULL_POINTER);
  EXPECT_EQ(loratune_adapter_skipped(nullptr, lines.out(), nullptr), LORATUNE_NULL_POINTER);
}

// Reading behind the end of a file that was cut would end the process.
TEST(CAdapter, AFileThatWasCutIsAStatus) {
  const TemporaryFolder folder;
  std::filesystem::copy(kFixtures + "peft_plain", folder / "cut");
  const AdapterHandle adapter = loaded_from(folder / "cut");
  const loratune_module module = module_of(adapter.get(), 0);
  std::filesystem::resize_file(folder / "cut/adapter_model.safetensors", 0);
  std::vector<float> a(static_cast<std::size_t>(module.rank * module.in));
  auto factors = zeroed<loratune_factors>();
  factors.a = a.data();
  factors.a_bytes = 4 * a.size();
  Text detail;
  EXPECT_EQ(loratune_adapter_factors(adapter.get(), &factors, detail.out()), LORATUNE_INVALID_FILE);
  EXPECT_NE(detail.str().find("adapter_model.safetensors: has changed since it was loaded"),
            std::string::npos)
      << detail.str();
  std::vector<float> x(static_cast<std::size_t>(module.in));
  std::vector<float> y(static_cast<std::size_t>(module.out));
  auto call = zeroed<loratune_adapter_call>();
  call.m = 1;
  call.factor = 1;
  call.x = x.data();
  call.x_count = x.size();
  call.y = y.data();
  call.y_count = y.size();
  EXPECT_EQ(loratune_adapter_run(adapter.get(), &call, nullptr), LORATUNE_INVALID_FILE);
  auto save = zeroed<loratune_save_options>();
  const std::string path = folder / "saved";
  save.folder = path.c_str();
  save.format = LORATUNE_FORMAT_MLX_LM;
  EXPECT_EQ(loratune_adapter_save(adapter.get(), &save, nullptr), LORATUNE_INVALID_FILE);
}

TEST(CAdapter, ADtypeIsThatOfBothFactors) {
  EXPECT_EQ(module_of(loaded("peft_plain").get(), 0).dtype, LORATUNE_DTYPE_F32);
  EXPECT_EQ(module_of(loaded("peft_bf16").get(), 0).dtype, LORATUNE_DTYPE_BF16);
  for (const char* name : {"gguf_q8_0", "llama_gguf_q8_0"}) {
    const AdapterHandle adapter = loaded(name);
    for (std::size_t i = 0; i < loratune_adapter_module_count(adapter.get()); ++i) {
      EXPECT_EQ(module_of(adapter.get(), i).dtype, LORATUNE_DTYPE_DEFAULT) << name << ' ' << i;
    }
  }
}

TEST(CAdapter, ARefusalSaysWhy) {
  std::string detail;
  EXPECT_EQ(loaded("refused_dora", &detail), nullptr);
  EXPECT_NE(detail, "");
  const AdapterHandle adapter = loaded("peft_plain");
  auto module = zeroed<loratune_module>();
  EXPECT_EQ(loratune_adapter_module(adapter.get(), 1000000, &module), LORATUNE_NOT_FOUND);
  std::size_t index = 0;
  EXPECT_EQ(loratune_adapter_find(adapter.get(), "no_such", &index, nullptr), LORATUNE_NOT_FOUND);
  auto factors = zeroed<loratune_factors>();
  factors.a = &detail;
  factors.a_bytes = 3;
  EXPECT_EQ(loratune_adapter_factors(adapter.get(), &factors, nullptr), LORATUNE_INVALID_OPERANDS);
}

}  // namespace
}  // namespace loratune
