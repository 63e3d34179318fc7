#include <gtest/gtest.h>

#include "adapters/adapter_files.h"

namespace loratune {
namespace {

// A[in,rank] and B[rank,out], as mlx-lm and metal-candle store them.
std::vector<Counted> by_columns(const std::string& path, std::int64_t in, std::int64_t out,
                                std::int64_t rank) {
  return {{path + ".lora_a", in, rank, 1}, {path + ".lora_b", rank, out, 100}};
}

// A[rank,in] and B[out,rank], as go-mlx stores them.
std::vector<Counted> by_rows(const std::string& path, std::int64_t in, std::int64_t out,
                             std::int64_t rank) {
  return {{path + ".lora_a", rank, in, 1}, {path + ".lora_b", out, rank, 100}};
}

const std::string kQ = "model.layers.3.self_attn.q_proj";
const std::string kMlxConfig =
    R"({"fine_tune_type": "lora", "num_layers": 4,
        "lora_parameters": {"rank": 2, "scale": 20.0, "dropout": 0.1, "keys": ["self_attn.q_proj"]}})";
const std::string kGoConfig =
    R"({"rank": 2, "alpha": 6, "num_layers": 4, "lora_layers": ["self_attn.q_proj"]})";

TEST(MlxLm, ReadsModulesInCanonicalForm) {
  AdapterFolder folder;
  const LoadedAdapter loaded = folder.mlx(kMlxConfig, by_columns(kQ, 4, 3, 2)).load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  EXPECT_EQ(loaded.adapter->format, Format::mlx_lm);
  const LoraModule& q = loaded.adapter->modules.at(0);
  EXPECT_EQ(q.in(), 4);
  EXPECT_EQ(q.out(), 3);
  EXPECT_EQ(q.rank(), 2);
  EXPECT_EQ(q.scale, 20);
  EXPECT_EQ(q.alpha, 40);
  EXPECT_EQ(values_of(q.a), (std::vector<float>{1, 3, 5, 7, 2, 4, 6, 8}));
  EXPECT_EQ(values_of(q.b), (std::vector<float>{100, 103, 101, 104, 102, 105}));
}

TEST(MlxLm, SquareLayersAreReadAsTheConfigSays) {
  AdapterFolder mlx;
  const LoadedAdapter columns = mlx.mlx(kMlxConfig, by_columns(kQ, 4, 4, 2)).load();
  ASSERT_TRUE(columns.adapter) << columns.error;
  EXPECT_EQ(columns.adapter->modules[0].rank(), 2);
  AdapterFolder go;
  const LoadedAdapter rows = go.mlx(kGoConfig, by_rows(kQ, 4, 4, 2)).load();
  ASSERT_TRUE(rows.adapter) << rows.error;
  EXPECT_EQ(rows.adapter->format, Format::go_mlx);
  EXPECT_EQ(rows.adapter->modules[0].rank(), 2);
  // The other way round the rank is another one.
  AdapterFolder wrong;
  EXPECT_SAYS(wrong.mlx(kGoConfig, by_columns(kQ, 4, 4, 2)).error(),
              "its rank is 4, the config says 2");
}

TEST(MlxLm, ConfigsThatItsLoaderWouldNotTakeAreRefused) {
  const auto with = [](const std::string& parameters) {
    return R"({"num_layers": 4, "lora_parameters": {)" + parameters + "}}";
  };
  const std::vector<std::pair<std::string, std::string>> refusals = {
      {R"({"num_layers": 4, "fine_tune_type": "lora"})", "'lora_parameters': is missing"},
      {R"({"lora_parameters": {"rank": 2, "scale": 1, "dropout": 0}})", "'num_layers': is missing"},
      {with(R"("scale": 20, "dropout": 0)"), "'lora_parameters.rank': is missing"},
      {with(R"("rank": 2, "dropout": 0)"),
       "'lora_parameters.scale': is missing, expected a number"},
      {with(R"("rank": 2, "scale": 20)"), "'lora_parameters.dropout': is missing"},
      {with(R"("rank": 0, "scale": 20, "dropout": 0)"), "expected a rank of 1 or more"},
      {with(R"("rank": 2, "scale": "20", "dropout": 0)"), "expected a number"},
      {with(R"("rank": 4, "scale": 20, "dropout": 0)"), "its rank is 2, the config says 4"},
      {with(R"("rank": 2, "scale": 1e39, "dropout": 0)"), "beyond every float"},
      {with(R"("rank": 2, "scale": 20, "dropout": 0, "keys": ["mlp.up_proj"])"), "names none"},
      {with(R"("rank": 2, "scale": 20, "dropout": 0, "keys": 3)"), "expected a list of texts"},
      {R"({"fine_tune_type": "dora", "num_layers": 4})", "DoRA is not read yet"},
      {R"({"fine_tune_type": "full", "num_layers": 4})", "whole weights"},
      {R"({"fine_tune_type": "other", "num_layers": 4})", "'fine_tune_type': is \"other\""}};
  for (const auto& [config, expected] : refusals) {
    AdapterFolder folder;
    EXPECT_SAYS(folder.mlx(config, by_columns(kQ, 4, 3, 2)).error(), expected) << config;
  }
}

const std::string kNoKeys =
    R"({"num_layers": 2, "lora_parameters": {"rank": 2, "scale": 1, "dropout": 0)";

std::vector<Counted> layers(const std::vector<int>& numbers) {
  std::vector<Counted> tensors;
  for (const int number : numbers) {
    tensors = tensors +
              by_columns("model.layers." + std::to_string(number) + ".self_attn.q_proj", 4, 3, 2);
  }
  return tensors;
}

// mlx-lm makes LoRA layers of the last num_layers layers, and raises at a key of another one.
TEST(MlxLm, LayersBeyondNumLayersAreRefused) {
  AdapterFolder folder;
  folder.mlx(kNoKeys + "}}", layers({5, 3, 4}));
  const std::string expected =
      "is of layer 3, and mlx-lm has LoRA in the last 2 layers alone (num_layers), of which the "
      "file has layer 5";
  EXPECT_SAYS(folder.error(), "'model.layers.3.self_attn.q_proj.lora_b': " + expected);
  const LoadedAdapter lenient =
      folder.load({.format = {}, .rank = {}, .alpha = {}, .lenient = true});
  ASSERT_TRUE(lenient.adapter) << lenient.error;
  EXPECT_EQ(lenient.adapter->modules.size(), 2U);
  ASSERT_EQ(lenient.adapter->skipped.size(), 1U);
  EXPECT_SAYS(lenient.adapter->skipped[0], expected);
  AdapterFolder fits;
  EXPECT_EQ(fits.mlx(kNoKeys + "}}", layers({4, 5})).error(), "");
  // Keys that are whole paths stand for their modules in any layer.
  AdapterFolder whole;
  whole.mlx(kNoKeys + R"(, "keys": ["model.layers.3.self_attn.q_proj", "self_attn.q_proj"]}})",
            layers({3, 4, 5}));
  EXPECT_EQ(whole.error(), "");
  // Lists of layers are counted one by one: mlx-lm may put them together.
  AdapterFolder lists;
  lists.mlx(kNoKeys + "}}", layers({4, 5}) + by_columns("model.more_layers.0.q", 4, 3, 2));
  EXPECT_EQ(lists.error(), "");
  AdapterFolder all;
  all.mlx(R"({"num_layers": -1, "lora_parameters": {"rank": 2, "scale": 1, "dropout": 0}})",
          layers({3, 4, 5}));
  EXPECT_EQ(all.error(), "");
}

TEST(MlxLm, WithoutKeysOnlyLayersHaveModules) {
  AdapterFolder folder;
  folder.mlx(kNoKeys + "}}", layers({4}) + by_columns("lm_head", 4, 3, 2));
  EXPECT_SAYS(folder.error(), "'lm_head.lora_b': is of no layer");
  const LoadedAdapter lenient =
      folder.load({.format = {}, .rank = {}, .alpha = {}, .lenient = true});
  ASSERT_TRUE(lenient.adapter) << lenient.error;
  EXPECT_EQ(lenient.adapter->modules.size(), 1U);
  AdapterFolder named;
  named.mlx(kNoKeys + R"(, "keys": ["self_attn.q_proj", "lm_head"]}})",
            layers({4}) + by_columns("lm_head", 4, 3, 2));
  EXPECT_EQ(named.error(), "");
}

TEST(MlxLm, KeysAreRelativeToLayersOfAnyName) {
  for (const char* layer : {"model.h.0", "transformer.h.0", "model.transformer.blocks.0",
                            "model.layers.layers.0", "layers.0", "language_model.model.layers.0"}) {
    for (const char* name : {"attn.q", "mlp.experts.3.q"}) {
      AdapterFolder folder;
      folder.mlx(kNoKeys + R"(, "keys": [")" + name + R"("]}})",
                 by_columns(std::string(layer) + "." + name, 4, 3, 2));
      EXPECT_EQ(folder.error(), "") << layer << " " << name;
    }
  }
}

TEST(MlxLm, ConfigsOfTheFirstVersionsAreRead) {
  AdapterFolder folder;
  const LoadedAdapter loaded = folder
                                   .mlx(R"({"lora_layers": 16,
                   "lora_parameters": {"rank": 2, "alpha": 16, "scale": 10, "dropout": 0}})",
                                        by_columns(kQ, 4, 3, 2))
                                   .load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  EXPECT_EQ(loaded.adapter->format, Format::mlx_lm);
  EXPECT_EQ(loaded.adapter->modules[0].scale, 10);
  ASSERT_EQ(loaded.adapter->notes.size(), 1U);
  EXPECT_NE(loaded.adapter->notes[0].find("the scale is 10"), std::string::npos);
  EXPECT_NE(loaded.adapter->notes[0].find("took 80"), std::string::npos);
}

TEST(MlxLm, CheckpointsBesideTheAdapterAreNoPartOfIt) {
  AdapterFolder folder;
  folder.mlx(kMlxConfig, by_columns(kQ, 4, 3, 2))
      .file("0000100_adapters.safetensors", "no adapter");
  EXPECT_EQ(folder.error(), "");
  AdapterFolder go;
  go.mlx(kGoConfig, by_rows(kQ, 4, 3, 2)).file("0000100_adapters.safetensors", "no adapter");
  EXPECT_EQ(go.error(), "");
  // mlx-lm does not load a folder that holds checkpoints alone.
  AdapterFolder alone;
  alone.file("adapter_config.json", kMlxConfig)
      .file("0000100_adapters.safetensors", safetensors(by_columns(kQ, 4, 3, 2)));
  EXPECT_SAYS(alone.error(), "holds no adapter");
}

TEST(MlxLm, EmbeddingsAndExpertsAreRefusedByNameAndShape) {
  AdapterFolder embedding;
  embedding.mlx(kMlxConfig, by_columns(kQ, 4, 3, 2) + by_columns("model.embed_tokens", 100, 4, 2));
  EXPECT_SAYS(embedding.error(), "LoRA of an embedding");
  for (const char* name :
       {"wpe", "embed", "embed_tokens_per_layer", "token_embeddings", "position_embedding_table"}) {
    AdapterFolder other;
    other.mlx(kMlxConfig,
              by_columns(kQ, 4, 3, 2) + by_columns("model." + std::string(name), 100, 4, 2));
    EXPECT_SAYS(other.error(), "LoRA of an embedding") << name;
  }
  AdapterFolder dora;
  dora.mlx(kMlxConfig, by_columns(kQ, 4, 3, 2) + std::vector<Counted>{{kQ + ".m", 1, 3}});
  EXPECT_SAYS(dora.error(), "DoRA");
}

TEST(GoMlx, DefaultsAreItsOwn) {
  AdapterFolder folder;
  const LoadedAdapter loaded =
      folder.mlx(R"({"rank": 0, "alpha": 0})", by_rows("layers.0.q_proj", 16, 12, 8)).load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  EXPECT_EQ(loaded.adapter->modules[0].scale, 2);
  EXPECT_EQ(loaded.adapter->modules[0].alpha, 16);
}

TEST(GoMlx, ReadsEveryFileOfTheFolderAndNoKeyTwice) {
  AdapterFolder folder;
  folder.mlx(kGoConfig, by_rows(kQ, 4, 3, 2))
      .file("more.safetensors", safetensors(by_rows("layers.5.self_attn.q_proj", 4, 3, 2)));
  const LoadedAdapter loaded = folder.load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  EXPECT_EQ(loaded.adapter->modules.size(), 2U);
  folder.file("again.safetensors", safetensors(by_rows("layers.3.self_attn.q_proj", 4, 3, 2)));
  EXPECT_SAYS(folder.error(), "a second spelling");
}

TEST(GoMlx, AllFilesOfTheFolderHaveOneBoundTogether) {
  std::string header = "{";
  for (int i = 0; i < 60000; ++i) {
    header += (i > 0 ? ",\"" : "\"") + std::to_string(i) +
              R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  }
  AdapterFolder folder;
  folder.mlx(kGoConfig, by_rows(kQ, 4, 3, 2)).file("a.safetensors", safetensors(header + "}"));
  EXPECT_SAYS(folder.error(), "a.safetensors: key '0': is no key of a LoRA pair");
  folder.file("b.safetensors", safetensors(header + "}"));
  EXPECT_SAYS(folder.error(),
              "b.safetensors: holds more than 100000 tensors with the adapter's other files");
}

TEST(GoMlx, KnowsLayersAlone) {
  AdapterFolder folder;
  EXPECT_SAYS(folder.mlx(kGoConfig, by_rows("lm_head", 4, 3, 2)).error(),
              "expected layers.N.<module>");
}

TEST(MetalCandle, ItsAlphaMustBeSaid) {
  AdapterFolder folder;
  folder.file("checkpoint-7.safetensors", safetensors(by_columns("layers.0.q_proj", 4, 3, 2)));
  EXPECT_SAYS(folder.error(), "where metal-candle wrote it, say this format and its alpha");
  LoadOptions options;
  options.alpha = 8;
  const LoadedAdapter loaded = folder.load(options);
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  EXPECT_EQ(loaded.adapter->format, Format::metal_candle);
  EXPECT_EQ(loaded.adapter->modules[0].scale, 4);
  options.rank = 4;
  options.format = Format::metal_candle;
  EXPECT_SAYS(folder.load(options).error, "its rank is 2, the config says 4");
}

TEST(Formats, WhatFitsBothLayoutsIsRefused) {
  AdapterFolder folder;
  folder.mlx("{}", by_columns("layers.0.q_proj", 2, 2, 2));
  EXPECT_SAYS(folder.error(), "fit both A[in,rank] and A[rank,in]");
  LoadOptions options;
  options.format = Format::go_mlx;
  EXPECT_SAYS(folder.load(options).error, "its rank is 2, the config says 8");
  AdapterFolder neither;
  EXPECT_SAYS(neither.mlx("{}", {{"layers.0.q.lora_a", 2, 3}, {"layers.0.q.lora_b", 4, 5}}).error(),
              "fit neither");
}

TEST(Formats, FoldersThatHoldNoneOrTwoAreRefused) {
  AdapterFolder none;
  EXPECT_SAYS(none.error(), "holds no adapter");
  EXPECT_SAYS(none.file("adapter_model.bin", "x").error(), "a pickle");
  AdapterFolder both;
  both.peft("{}", {}).mlx("{}", {});
  EXPECT_SAYS(both.error(), "holds both adapter_model.safetensors and adapters.safetensors");
  EXPECT_SAYS(load_adapter(none.path("absent")).error, "No such file");
  AdapterFolder bare;
  bare.file("adapter_model.safetensors", safetensors(peft_pair("q_proj", 3, 3, 2)));
  EXPECT_SAYS(bare.error(), "has no adapter_config.json, expected one of peft");
}

TEST(Formats, AFileOfAFolderMayBeNamed) {
  AdapterFolder folder;
  folder.mlx(kMlxConfig, by_columns(kQ, 4, 3, 2));
  const LoadedAdapter loaded = load_adapter(folder.path("adapters.safetensors"));
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  EXPECT_EQ(loaded.adapter->format, Format::mlx_lm);
}

TEST(Modules, AreFoundByTheEndOfTheirPath) {
  AdapterFolder folder;
  const LoadedAdapter loaded =
      folder
          .mlx(R"({"num_layers": 16, "lora_parameters": {"rank": 2, "scale": 1, "dropout": 0}})",
               by_columns(kQ, 4, 3, 2) + by_columns("model.layers.13.self_attn.q_proj", 4, 3, 2))
          .load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  const auto find = [&](const std::string& name) {
    std::string why;
    const LoraModule* module = find_module(*loaded.adapter, name, why);
    EXPECT_EQ(module == nullptr, !why.empty());
    return module == nullptr ? why : module->path;
  };
  EXPECT_EQ(find(kQ), kQ);
  EXPECT_EQ(find("layers.3.self_attn.q_proj"), kQ);
  EXPECT_SAYS(find("q_proj"), "may be");
  EXPECT_SAYS(find("k_proj"), "there is no module 'k_proj'");
  EXPECT_SAYS(find(""), "there is no module");
}

}  // namespace
}  // namespace loratune
