#include "loratune/adapters/save_adapter.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <span>
#include <stdexcept>

#include "adapters/adapter_files.h"
#include "loratune/adapters/adapter_set.h"

namespace loratune {
namespace {

namespace fs = std::filesystem;

const std::string kQ = "model.layers.0.self_attn.q_proj";
const std::string kV = "model.layers.1.self_attn.v_proj";

std::string peft_config(const std::string& more = {}) {
  return R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"])" +
         more + "}";
}

void expect_same(const Adapter& one, const Adapter& other) {
  ASSERT_EQ(one.modules.size(), other.modules.size());
  for (std::size_t i = 0; i < one.modules.size(); ++i) {
    EXPECT_EQ(one.modules[i].path, other.modules[i].path);
    EXPECT_EQ(one.modules[i].scale, other.modules[i].scale);
    EXPECT_EQ(one.modules[i].a.element, other.modules[i].a.element);
    EXPECT_EQ(rows_of(one.modules[i].a), rows_of(other.modules[i].a));
    EXPECT_EQ(rows_of(one.modules[i].b), rows_of(other.modules[i].b));
  }
}

// Saves the adapter in another format, reads that, and saves it as PEFT again.
void expect_round_trip(const Adapter& adapter, Format format) {
  const TemporaryFolder folder;
  const std::string there = (folder / "there").string();
  const std::string back = (folder / "back").string();
  ASSERT_EQ(save_adapter(adapter, format, there), "");
  const LoadedAdapter other = load_adapter(there);
  ASSERT_TRUE(other.adapter) << other.error;
  EXPECT_EQ(other.adapter->format, format);
  expect_same(*other.adapter, adapter);
  ASSERT_EQ(save_adapter(*other.adapter, Format::peft, back), "");
  const LoadedAdapter again = load_adapter(back);
  ASSERT_TRUE(again.adapter) << again.error;
  expect_same(*again.adapter, adapter);
  EXPECT_EQ(folder.files(), 2) << "no temporary folder is left";
}

TEST(SaveAdapter, EveryFormatHoldsTheSameBytes) {
  AdapterFolder folder;
  const LoadedAdapter loaded =
      folder.peft(peft_config(), peft_pair(kQ, 8, 7, 4) + peft_pair(kV, 6, 4, 4)).load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  for (const Format format : {Format::peft, Format::mlx_lm, Format::go_mlx}) {
    expect_round_trip(*loaded.adapter, format);
  }
}

// Each module of another rank than the most has a pattern of its own in the config.
TEST(SaveAdapter, ManyModulesOfManyRanks) {
  std::vector<Counted> tensors;
  std::string ranks;
  for (int i = 0; i < 1500; ++i) {
    const std::string path = "model.layers." + std::to_string(i / 100) + ".experts." +
                             std::to_string(i % 100) + ".caf\xc3\xa9.q_proj";
    const int rank = 1 + i % 3;
    tensors = std::move(tensors) + peft_pair(path, 2, 3, rank);
    ranks += (i > 0 ? ",\"" : "\"") + path + "\":" + std::to_string(rank);
  }
  AdapterFolder folder;
  const LoadedAdapter loaded =
      folder.peft(peft_config(R"(,"rank_pattern":{)" + ranks + "}"), tensors).load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  expect_round_trip(*loaded.adapter, Format::peft);
}

TEST(SaveAdapter, ElementsOfTwoBytesKeepEveryBit) {
  // Every pattern of 16 bits, NaN and all.
  std::string numbers;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    numbers += bytes_of(static_cast<std::uint16_t>(bits));
  }
  for (const char* type : {"F16", "BF16"}) {
    const std::string header = R"({"model.layers.0.q.lora_a":{"dtype":")" + std::string(type) +
                               R"(","shape":[256,256],"data_offsets":[0,131072]},)"
                               R"("model.layers.0.q.lora_b":{"dtype":")" +
                               type + R"(","shape":[256,256],"data_offsets":[131072,262144]}})";
    AdapterFolder folder;
    folder
        .file("adapter_config.json",
              R"({"num_layers": -1, "lora_parameters": {"rank": 256, "scale": 2, "dropout": 0}})")
        .file("adapters.safetensors", safetensors(header, numbers + numbers));
    const LoadedAdapter loaded = folder.load();
    ASSERT_TRUE(loaded.adapter) << loaded.error;
    expect_round_trip(*loaded.adapter, Format::go_mlx);
    expect_round_trip(*loaded.adapter, Format::peft);
  }
}

// The rows of B are put in another order, and nothing is done to their numbers.
TEST(SaveAdapter, RowsThatAreTurnedBackKeepEveryBit) {
  for (const Element element : {Element::f16, Element::bf16, Element::f32}) {
    const auto size = static_cast<std::size_t>(block_of(element).bytes);
    std::vector<std::byte> turned(8 * size);  // two heads of four rows, a number a row
    for (std::size_t i = 0; i < turned.size(); ++i)
      turned[i] = std::byte(i % size == 0 ? i + 1 : 0);
    // A NaN that signals: 0x7c01 as f16, 0x7f81 as bf16, 0x7f800001 as f32.
    const bool half = element == Element::f16;
    turned[size - 1] = std::byte(half ? 0x7c : 0x7f);
    if (!half) turned[size - 2] = std::byte(size == 2 ? 0x81 : 0x80);
    std::vector<std::byte> expected;
    for (const std::size_t row : {0U, 2U, 1U, 3U, 4U, 6U, 5U, 7U}) {
      const auto at = turned.begin() + static_cast<std::ptrdiff_t>(row * size);
      expected.insert(expected.end(), at, at + static_cast<std::ptrdiff_t>(size));
    }
    Adapter adapter;
    adapter.format = Format::gguf;
    adapter.architecture = "llama";
    adapter.modules.push_back(
        {"blk.0.attn_q", {element, 1, 8, false, turned}, {element, 8, 1, false, turned}, 8, 8});
    const TemporaryFolder target;
    SaveOptions options;
    options.heads = 2;
    ASSERT_EQ(save_adapter(adapter, Format::peft, (target / "x").string(), options), "");
    const LoadedAdapter saved = load_adapter((target / "x").string());
    ASSERT_TRUE(saved.adapter) << saved.error;
    EXPECT_EQ(rows_of(saved.adapter->modules[0].b), expected) << to_string(element);
  }
}

// A model's heads are all of one size, so two numbers can be told from the wrong ones.
TEST(SaveAdapter, HeadsThatCannotBeTheModelsAreRefused) {
  const std::vector<std::byte> zeros(64);
  const Factor a = {Element::f32, 1, 1, false, std::span(zeros).first(4)};
  const auto b = [&](std::int64_t rows) {
    return Factor{Element::f32, rows, 1, false,
                  std::span(zeros).first(4 * static_cast<std::size_t>(rows))};
  };
  Adapter adapter;
  adapter.format = Format::gguf;
  adapter.architecture = "llama";
  adapter.modules = {{"blk.0.attn_k", a, b(8), 1, 1}, {"blk.0.attn_q", a, b(16), 1, 1}};
  const auto save = [](const Adapter& from, int heads, int heads_kv) {
    const TemporaryFolder target;
    SaveOptions options;
    options.heads = heads;
    options.heads_kv = heads_kv;
    const std::string error = save_adapter(from, Format::peft, (target / "x").string(), options);
    EXPECT_EQ(target.files(), error.empty() ? 1 : 0);
    return error;
  };
  EXPECT_EQ(save(adapter, 4, 2), "");
  EXPECT_SAYS(save(adapter, 4, 4), "expected heads of one size");
  EXPECT_SAYS(save(adapter, 2, 2), "expected heads of one size");
  EXPECT_SAYS(save(adapter, 4, 0), "'blk.0.attn_k': say the heads of the model's queries and of");
  EXPECT_SAYS(save(adapter, 0, 2), "'blk.0.attn_q': say the heads of the model's queries and of");
  Adapter keys = adapter;
  keys.modules.pop_back();
  EXPECT_SAYS(save(keys, 4, 0), "say the heads");
  EXPECT_EQ(save(keys, 0, 2), "");
  Adapter equal = adapter;
  equal.modules[1].b = b(8);
  EXPECT_EQ(save(equal, 4, 0), "") << "as many outputs are as many heads";
}

// Keys of a config are relative to the layer, whatever the model calls its layers.
TEST(SaveAdapter, MlxLmReadsLayersOfAnyName) {
  AdapterFolder folder;
  const LoadedAdapter loaded =
      folder
          .peft(peft_config(),
                peft_pair("transformer.h.0.q_proj", 8, 7, 4) + peft_pair("lm_head.v_proj", 8, 7, 4))
          .load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  expect_round_trip(*loaded.adapter, Format::mlx_lm);
  const TemporaryFolder target;
  ASSERT_EQ(save_adapter(*loaded.adapter, Format::mlx_lm, (target / "x").string()), "");
  EXPECT_SAYS(read_bytes(target / "x" / "adapter_config.json"), "\"q_proj\"");
}

TEST(SaveAdapter, PeftSaysRanksAndScalesOfEachModule) {
  AdapterFolder folder;
  const LoadedAdapter loaded =
      folder
          .peft(peft_config(R"(, "rank_pattern": {"v_proj": 2}, "alpha_pattern": {"v_proj": 3},
                               "use_rslora": true)"),
                peft_pair(kQ, 8, 7, 4) + peft_pair(kV, 6, 4, 2))
          .load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  expect_round_trip(*loaded.adapter, Format::peft);
  const TemporaryFolder target;
  EXPECT_SAYS(save_adapter(*loaded.adapter, Format::mlx_lm, (target / "x").string()),
              "has one for all modules");
  EXPECT_EQ(target.files(), 0);
}

TEST(SaveAdapter, APathThatEndsAnotherKeepsItsOwnScale) {
  AdapterFolder folder;
  const LoadedAdapter loaded =
      folder
          .peft(peft_config(R"(, "alpha_pattern": {"^q_proj": 2, "x.q_proj": 4})"),
                peft_pair("q_proj", 8, 7, 4) + peft_pair("x.q_proj", 8, 7, 4) +
                    peft_pair("y.q_proj", 8, 7, 4))
          .load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  expect_round_trip(*loaded.adapter, Format::peft);
}

TEST(SaveAdapter, MetalCandleWantsItsAlphaSaid) {
  AdapterFolder folder;
  folder.peft(peft_config(), peft_pair("layers.0.q_proj", 8, 7, 4));
  const LoadedAdapter loaded = folder.load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  const TemporaryFolder target;
  const std::string path = (target / "x").string();
  EXPECT_SAYS(save_adapter(*loaded.adapter, Format::metal_candle, path),
              "say that its reader will be told an alpha of 8");
  SaveOptions options;
  options.alpha = 8;
  ASSERT_EQ(save_adapter(*loaded.adapter, Format::metal_candle, path, options), "");
  LoadOptions reading;
  reading.alpha = 8;
  const LoadedAdapter again = load_adapter(path, reading);
  ASSERT_TRUE(again.adapter) << again.error;
  expect_same(*again.adapter, *loaded.adapter);
}

TEST(SaveAdapter, AnOptionThatWouldBeDroppedIsRefused) {
  AdapterFolder folder;
  const LoadedAdapter loaded =
      folder.peft(peft_config(), peft_pair("layers.0.q_proj", 8, 7, 4)).load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  const TemporaryFolder target;
  const auto save = [&](Format format, const SaveOptions& options) {
    return save_adapter(*loaded.adapter, format, (target / "x").string(), options);
  };
  EXPECT_SAYS(save(Format::mlx_lm, {.alpha = 8}), "alpha is for metal-candle, which stores none");
  EXPECT_SAYS(save(Format::mlx_lm, {.alpha = 8}), "mlx-lm stores the adapter's own");
  EXPECT_SAYS(save(Format::mlx_lm, {.alpha = {}, .heads = 4}),
              "heads is for the queries and keys of a GGUF's");
  EXPECT_SAYS(save(Format::metal_candle, {.alpha = 8, .heads_kv = 2}), "heads_kv is for");
  EXPECT_SAYS(save(Format::metal_candle, {.alpha = 8, .heads_kv = 2}),
              "this peft adapter has none");
  EXPECT_EQ(target.files(), 0);
  EXPECT_EQ(save(Format::metal_candle, {.alpha = 8}), "");
}

// It does not say which block of the layer a module is of, and others want that.
TEST(SaveAdapter, WhatMetalCandleLeavesOutOfANameIsWrittenWhereItIsKnown) {
  const auto adapter_of = [](const std::string& module) {
    AdapterFolder folder;
    const std::vector<Counted> pair = {{"layers.0." + module + ".lora_a", 4, 2, 1},
                                       {"layers.0." + module + ".lora_b", 2, 3, 100}};
    folder.file("x.safetensors", safetensors(pair));
    LoadOptions reading;
    reading.alpha = 8;
    return folder.load(reading);
  };
  const TemporaryFolder target;
  for (const Format other : {Format::peft, Format::mlx_lm, Format::go_mlx}) {
    const LoadedAdapter known = adapter_of("down_proj");
    ASSERT_TRUE(known.adapter) << known.error;
    const std::string path = (target / std::string(to_string(other))).string();
    ASSERT_EQ(save_adapter(*known.adapter, other, path), "");
    const LoadedAdapter again = load_adapter(path);
    ASSERT_TRUE(again.adapter) << again.error;
    EXPECT_EQ(again.adapter->modules[0].path, "model.layers.0.mlp.down_proj");
    const LoadedAdapter unknown = adapter_of("c_attn");
    ASSERT_TRUE(unknown.adapter) << unknown.error;
    EXPECT_SAYS(save_adapter(*unknown.adapter, other, (target / "y").string()),
                "the model's name of module 'layers.0.c_attn' is not known");
  }
  EXPECT_EQ(target.files(), 3);
}

// go-mlx takes layers.N and model.layers.N for one, and models have the latter.
TEST(SaveAdapter, WhatGoMlxLeavesOutOfANameIsWritten) {
  AdapterFolder folder;
  folder.mlx(R"({"rank": 2, "alpha": 6})", {{"layers.3.self_attn.q_proj.lora_a", 2, 4, 1},
                                            {"layers.3.self_attn.q_proj.lora_b", 3, 2, 100}});
  const LoadedAdapter loaded = folder.load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  const TemporaryFolder target;
  for (const Format format : {Format::peft, Format::mlx_lm, Format::go_mlx}) {
    const std::string path = (target / std::string(to_string(format))).string();
    ASSERT_EQ(save_adapter(*loaded.adapter, format, path), "");
    const LoadedAdapter again = load_adapter(path);
    ASSERT_TRUE(again.adapter) << again.error;
    EXPECT_EQ(again.adapter->modules[0].path, format == Format::go_mlx
                                                  ? "layers.3.self_attn.q_proj"
                                                  : "model.layers.3.self_attn.q_proj");
  }
}

TEST(SaveAdapter, WhatTheTargetCannotSayIsRefusedAndNothingWritten) {
  struct Case {
    std::string config, path, expected;
    Format format;
  };
  const std::vector<Case> cases = {
      {peft_config(), kQ, "all that metal-candle knows", Format::metal_candle},
      {R"({"peft_type": "LORA", "r": 4, "lora_alpha": 0})", kQ, "has scale 0", Format::go_mlx},
      {peft_config(), "lm_head.q_proj", "all that go-mlx knows", Format::go_mlx},
      {peft_config(R"(, "init_lora_weights": "pissa")"), kQ, "changes the base", Format::mlx_lm},
      {peft_config(), kQ, "GGUF is read only", Format::gguf}};
  for (const Case& one : cases) {
    AdapterFolder folder;
    const LoadedAdapter loaded = folder.peft(one.config, peft_pair(one.path, 8, 7, 4)).load();
    ASSERT_TRUE(loaded.adapter) << loaded.error;
    const TemporaryFolder target;
    EXPECT_SAYS(save_adapter(*loaded.adapter, one.format, (target / "x").string()), one.expected);
    EXPECT_EQ(target.files(), 0);
  }
}

TEST(SaveAdapter, ARefusalSaysHowTheBaseIsChanged) {
  AdapterFolder folder;
  const LoadedAdapter loaded =
      folder
          .peft(R"({"peft_type": "LORA", "r": 4, "target_modules": "(?!x).*",
                                            "init_lora_weights": "pissa"})",
                peft_pair(kQ, 8, 7, 4))
          .load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  const TemporaryFolder target;
  EXPECT_SAYS(save_adapter(*loaded.adapter, Format::mlx_lm, (target / "x").string()),
              "when it is loaded: " + loaded.adapter->notes.front());
  EXPECT_SAYS(loaded.adapter->notes.front(), "init_lora_weights 'pissa'");
}

TEST(SaveAdapter, AnAdapterWithoutModulesIsRefused) {
  for (const Format format :
       {Format::peft, Format::mlx_lm, Format::go_mlx, Format::metal_candle, Format::gguf}) {
    const TemporaryFolder target;
    EXPECT_NE(save_adapter(Adapter{}, format, (target / "x").string()), "");
    EXPECT_EQ(target.files(), 0);
  }
}

// Many modules of one adapter, whose numbers are the same.
Adapter many_modules(int count, std::size_t path) {
  static const float kNumber = 1;
  const Factor one = {Element::f32, 1, 1, false, std::as_bytes(std::span(&kNumber, 1))};
  Adapter adapter;
  for (int i = 0; i < count; ++i) {
    const std::string number = std::to_string(100000 + i);
    adapter.modules.push_back({std::string(path - number.size(), 'x') + number, one, one, 1, 1});
  }
  return adapter;
}

TEST(SaveAdapter, AConfigThatCouldNotBeReadAgainIsRefusedBeforeAnythingIsWritten) {
  const TemporaryFolder target;
  const auto save = [&](const Adapter& adapter, Format format) {
    return save_adapter(adapter, format, (target / "x").string());
  };
  EXPECT_SAYS(save(many_modules(5000, 900), Format::peft), "its config would be larger than 4 MiB");
  EXPECT_SAYS(save(many_modules(5000, 900), Format::mlx_lm), "its config: is larger than 4 MiB");
  EXPECT_SAYS(save(many_modules(70000, 20), Format::mlx_lm), "its config: at \"/lora_parameters/");
  Adapter two_scales = many_modules(20000, 20);
  for (std::size_t i = 0; i < 9000; ++i) two_scales.modules[i].scale = 2;
  EXPECT_SAYS(save(two_scales, Format::peft), "its config would hold more than 8192 patterns");
  Adapter many_patterns = many_modules(16000, 20);
  for (std::size_t i = 0; i < 8000; ++i) many_patterns.modules[i].scale = 2;
  EXPECT_SAYS(save(many_patterns, Format::peft),
              "x: cannot be written: a pattern of its config takes too long to match");
  EXPECT_SAYS(save(many_modules(1, 1010), Format::peft), "would be longer than 1024 bytes");
  EXPECT_EQ(target.files(), 0);
}

TEST(SaveAdapter, ModulesThatTheConfigLeavesOutAreNotBroughtToLife) {
  AdapterFolder folder;
  const LoadedAdapter loaded =
      folder
          .peft(R"({"peft_type": "LORA", "r": 4, "target_modules": ["q_proj"]})",
                peft_pair(kQ, 8, 7, 4) + peft_pair(kV, 8, 7, 4))
          .load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  const TemporaryFolder target;
  EXPECT_SAYS(save_adapter(*loaded.adapter, Format::mlx_lm, (target / "x").string()),
              "its own tool leaves it out");
}

TEST(SaveAdapter, NothingThatExistedIsLost) {
  AdapterFolder folder;
  const LoadedAdapter loaded = folder.peft(peft_config(), peft_pair(kQ, 8, 7, 4)).load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  EXPECT_SAYS(save_adapter(*loaded.adapter, Format::mlx_lm, folder.path()), "exists already");
  EXPECT_SAYS(save_adapter(*loaded.adapter, Format::mlx_lm, folder.path("adapter_config.json")),
              "exists already");
  EXPECT_EQ(folder.error(), "");
  const TemporaryFolder empty;
  EXPECT_EQ(save_adapter(*loaded.adapter, Format::mlx_lm, empty.path().string() + "/"), "");
}

TEST(SaveAdapter, AnEmptyFolderStaysWhatItIs) {
  AdapterFolder folder;
  const LoadedAdapter loaded = folder.peft(peft_config(), peft_pair(kQ, 8, 7, 4)).load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  const TemporaryFolder target;
  fs::create_directory(target / "mine");
  fs::permissions(target / "mine", fs::perms::owner_all);
  fs::create_directory_symlink("mine", target / "link");
  const fs::path before = fs::current_path();
  fs::current_path(target / "mine");  // which the shell of `--out .` stands in
  EXPECT_SAYS(save_adapter(Adapter{}, Format::peft, "."), "has no modules");
  EXPECT_TRUE(fs::is_empty("."));
  EXPECT_EQ(save_adapter(*loaded.adapter, Format::peft, "."), "");
  EXPECT_TRUE(fs::exists("adapter_config.json"));
  fs::current_path(before);
  EXPECT_EQ(fs::status(target / "mine").permissions(), fs::perms::owner_all);
  const auto files = [&] { return std::distance(fs::directory_iterator(target / "mine"), {}); };
  EXPECT_EQ(files(), 2) << "no temporary folder is left";
  EXPECT_SAYS(save_adapter(*loaded.adapter, Format::peft, (target / "link").string()),
              "exists already");
  for (const auto& entry : fs::directory_iterator(target / "mine")) fs::remove(entry);
  EXPECT_EQ(save_adapter(*loaded.adapter, Format::peft, (target / "link").string()), "");
  EXPECT_TRUE(fs::is_symlink(target / "link"));
  EXPECT_TRUE(load_adapter((target / "mine").string()).adapter);
  fs::create_directories(target / "killed" / "adapter.7.0.tmp");
  EXPECT_SAYS(save_adapter(*loaded.adapter, Format::peft, (target / "killed").string()),
              "holds 'adapter.7.0.tmp', of a save that goes on or was killed");
  fs::create_directory_symlink("nothing", target / "dangling");
  EXPECT_SAYS(save_adapter(*loaded.adapter, Format::peft, (target / "dangling").string()),
              "is a link to nothing");
}

TEST(SaveAdapter, WhatAKilledProcessLeftIsPassedOver) {
  AdapterFolder folder;
  const LoadedAdapter loaded = folder.peft(peft_config(), peft_pair(kQ, 8, 7, 4)).load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  const TemporaryFolder target;
  const std::string left = "x." + std::to_string(::getpid()) + ".0.tmp";
  fs::create_directory(target / left);
  write_bytes(target / left / "adapter_model.safetensors", "x");
  EXPECT_EQ(save_adapter(*loaded.adapter, Format::peft, (target / "x").string()), "");
  EXPECT_EQ(target.files(), 2);
  EXPECT_EQ(read_bytes(target / left / "adapter_model.safetensors"), "x");
}

// The factors are read from the file when they are asked for.
TEST(ChangedFile, IsNoticedBeforeItsFactorsAreRead) {
  AdapterFolder folder;
  const LoadedAdapter loaded = folder.peft(peft_config(), peft_pair(kQ, 8, 7, 4)).load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  const fs::path file = folder.path("adapter_model.safetensors");
  EXPECT_EQ(changed_file(*loaded.adapter), "");
  // The same bytes written anew, then a shorter file.
  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::hours(1));
  EXPECT_SAYS(changed_file(*loaded.adapter), "has changed since it was loaded");
  fs::resize_file(file, 16);
  EXPECT_SAYS(changed_file(*loaded.adapter), "adapter_model.safetensors: has changed since");
  const TemporaryFolder target;
  EXPECT_SAYS(save_adapter(*loaded.adapter, Format::mlx_lm, (target / "x").string()),
              "cannot be written: " + changed_file(*loaded.adapter));
  EXPECT_EQ(target.files(), 0);
  EXPECT_THROW(layers_of(*loaded.adapter), std::runtime_error);
}

TEST(ChangedFile, MayBeRemovedOrReplaced) {
  AdapterFolder folder;
  const LoadedAdapter loaded = folder.peft(peft_config(), peft_pair(kQ, 8, 7, 4)).load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  folder.file("other", "x");
  fs::rename(folder.path("other"), folder.path("adapter_model.safetensors"));
  EXPECT_EQ(changed_file(*loaded.adapter), "");
  fs::remove(folder.path("adapter_model.safetensors"));
  EXPECT_EQ(changed_file(*loaded.adapter), "");
  EXPECT_EQ(values_of(loaded.adapter->modules[0].a)[0], 1.0F);
}

}  // namespace
}  // namespace loratune
