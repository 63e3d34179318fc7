#include <gtest/gtest.h>

#include <cmath>
#include <ctime>

#include "adapters/adapter_files.h"

namespace loratune {
namespace {

// Processor time for what must not take long: several times what it takes. Builds for ARM run under
// an emulator.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__aarch64__)
constexpr std::clock_t kSoon = 40 * CLOCKS_PER_SEC;
#else
constexpr std::clock_t kSoon = 2 * CLOCKS_PER_SEC;
#endif

const std::string kQ = "model.layers.0.self_attn.q_proj";
const std::string kV = "model.layers.0.self_attn.v_proj";

// A config with these members beside the usual ones.
std::string config(const std::string& more = {}) {
  return R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "lora_dropout": 0.1,
             "target_modules": ["q_proj", "v_proj"])" +
         (more.empty() ? "" : ", " + more) + "}";
}

std::vector<Counted> two_modules() { return peft_pair(kV, 6, 5, 4) + peft_pair(kQ, 8, 7, 4); }

TEST(Peft, ReadsModulesInCanonicalForm) {
  AdapterFolder folder;
  const LoadedAdapter loaded = folder.peft(config(), two_modules()).load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  const Adapter& adapter = *loaded.adapter;
  EXPECT_EQ(adapter.format, Format::peft);
  ASSERT_EQ(adapter.modules.size(), 2U);
  const LoraModule& q = adapter.modules[0];
  EXPECT_EQ(q.path, kQ);
  EXPECT_EQ(q.in(), 8);
  EXPECT_EQ(q.out(), 7);
  EXPECT_EQ(q.rank(), 4);
  EXPECT_EQ(q.scale, 2);
  EXPECT_TRUE(q.matched);
  const std::vector<float> a = values_of(q.a);
  ASSERT_EQ(a.size(), 32U);
  EXPECT_EQ(a[9], 10);
  EXPECT_EQ(values_of(q.b)[27], 127);
  EXPECT_EQ(adapter.modules[1].path, kV);
  EXPECT_TRUE(adapter.notes.empty() && adapter.skipped.empty());
}

TEST(Peft, TakesKeysWithoutPrefixAndWithAnAdapterName) {
  AdapterFolder folder;
  folder.peft(config(),
              {{kQ + ".lora_A.default.weight", 4, 8}, {kQ + ".lora_B.default.weight", 7, 4}});
  EXPECT_EQ(folder.error(), "");
}

// Factors of two adapters would multiply to a product that is neither's.
TEST(Peft, AFileIsOfOneAdapterAndOnePrefix) {
  const std::string q = kPrefix + kQ;
  const std::string v = kPrefix + kV;
  struct Mix {
    std::vector<std::string> names;
    std::string expected;
  };
  const std::vector<Mix> mixes = {
      {{q + ".lora_A.default.weight", q + ".lora_B.other.weight"},
       "key '" + q + ".lora_B.other.weight': has the adapter name 'other', and key '" + q +
           ".lora_A.default.weight' has 'default'"},
      {{q + ".lora_A.weight", q + ".lora_B.default.weight"},
       "has the adapter name 'default', and key '" + q + ".lora_A.weight' has none"},
      {{q + ".lora_A.weight", kQ + ".lora_B.weight"},
       "has no prefix, and key '" + q + ".lora_A.weight' has 'base_model.model.'"},
      {{q + ".lora_A.one.weight", q + ".lora_B.one.weight", v + ".lora_A.two.weight",
        v + ".lora_B.two.weight"},
       "has the adapter name 'two', and key '" + q + ".lora_A.one.weight' has 'one'"}};
  for (const Mix& mix : mixes) {
    std::vector<Counted> tensors;
    for (const std::string& name : mix.names) {
      const bool is_b = name.find("lora_B") != std::string::npos;
      tensors.push_back({name, is_b ? 7 : 4, is_b ? 4 : 8});
    }
    AdapterFolder folder;
    folder.peft(config(), tensors);
    EXPECT_SAYS(folder.error(), mix.expected);
    const LoadOptions lenient = {.format = {}, .rank = {}, .alpha = {}, .lenient = true};
    EXPECT_SAYS(folder.load(lenient).error, mix.expected);
  }
}

// An embedding of PEFT has keys of its own, lora_embedding_A, so these names are plain words.
TEST(Peft, ALinearModuleMayBeCalledEmbedding) {
  for (const char* name : {"vision.embed", "time.embedding"}) {
    AdapterFolder folder;
    folder.peft(R"({"peft_type": "LORA", "r": 4, "target_modules": "all-linear"})",
                peft_pair(name, 8, 7, 4));
    EXPECT_EQ(folder.error(), "") << name;
  }
  AdapterFolder folder;
  folder.peft(config(), two_modules() + peft_pair("model.embed_tokens", 8, 7, 4));
  EXPECT_SAYS(folder.error(), "LoRA of an embedding");
}

// PEFT puts a pair on the attention, for its in_proj, and one of the same rank and alpha on the
// out_proj inside it.
TEST(Peft, TheOutProjOfAnAttentionGoesByTheAttentionsName) {
  const auto loaded = [](const std::string& more) {
    AdapterFolder folder;
    return folder
        .peft(R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["attn"])" +
                  more + "}",
              peft_pair("m.attn", 8, 24, 2) + peft_pair("m.attn.base_layer.out_proj", 8, 8, 2))
        .load();
  };
  const LoadedAdapter both =
      loaded(R"(, "rank_pattern": {"attn": 2}, "alpha_pattern": {"m.attn": 6})");
  ASSERT_TRUE(both.adapter) << both.error;
  for (const LoraModule& module : both.adapter->modules) {
    EXPECT_TRUE(module.matched) << module.path;
    EXPECT_EQ(module.scale, 3) << module.path;
  }
  EXPECT_EQ(both.adapter->modules[1].path, "m.attn.base_layer.out_proj");
  EXPECT_SAYS(loaded(R"(, "rank_pattern": {"out_proj": 2})").error,
              "its rank is 2, the config says 4");
}

TEST(Peft, DefaultsAreThoseOfPeft) {
  AdapterFolder folder;
  const LoadedAdapter loaded =
      folder.peft(R"({"peft_type": "LORA", "target_modules": null})", peft_pair(kQ, 3, 3, 8))
          .load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  EXPECT_EQ(loaded.adapter->modules[0].scale, 1);
}

TEST(Peft, RankStabilisedScaleDividesByTheRoot) {
  AdapterFolder folder;
  const LoadedAdapter loaded = folder.peft(config(R"("use_rslora": true)"), two_modules()).load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  EXPECT_EQ(loaded.adapter->modules[0].scale, 4);
}

TEST(Peft, AlphaMayBeZeroNegativeOrFractional) {
  for (const auto& [alpha, scale] : {std::pair("0", 0.0), {"-2", -0.5}, {"0.5", 0.125}}) {
    AdapterFolder folder;
    const LoadedAdapter loaded =
        folder
            .peft(R"({"peft_type": "LORA", "r": 4, "target_modules": ["q_proj"], "lora_alpha": )" +
                      std::string(alpha) + "}",
                  peft_pair(kQ, 8, 7, 4))
            .load();
    ASSERT_TRUE(loaded.adapter) << loaded.error;
    EXPECT_EQ(loaded.adapter->modules[0].scale, scale);
  }
}

TEST(Peft, TheFirstPatternInTheOrderOfTheFileCounts) {
  const auto scale = [](const std::string& patterns) {
    AdapterFolder folder;
    const LoadedAdapter loaded =
        folder.peft(config(R"("alpha_pattern": {)" + patterns + "}"), two_modules()).load();
    EXPECT_TRUE(loaded.adapter) << loaded.error;
    return loaded.adapter ? loaded.adapter->modules[0].scale : 0;
  };
  EXPECT_EQ(scale(R"("q_proj": 4, "self_attn.q_proj": 16)"), 1);
  EXPECT_EQ(scale(R"("self_attn.q_proj": 16, "q_proj": 4)"), 4);
  EXPECT_EQ(scale(R"("proj": 4)"), 2);    // no part of its own
  EXPECT_EQ(scale(R"("q.proj": 4)"), 1);  // a dot is any character
  EXPECT_EQ(scale(R"(".*layers\\.[0-3]\\..*": 4)"), 1);
  EXPECT_EQ(scale(R"("^model.layers.0.self_attn.q_proj": 12)"), 3);
  EXPECT_EQ(scale(R"("^model\\.layers\\.0\\.self_attn\\.q_proj": 12)"), 3);
  EXPECT_EQ(scale(R"("^q_proj": 12)"), 2);   // not where the path begins
  EXPECT_EQ(scale(R"("q\\.proj": 12)"), 2);  // a dot and nothing else
}

TEST(Peft, NamesMayHoldAnyCharacter) {
  const auto scale = [](const std::string& key) {
    AdapterFolder folder;
    const LoadedAdapter loaded = folder
                                     .peft(config(R"("alpha_pattern": {")" + key + R"(": 4})"),
                                           peft_pair("caf\xc3\xa9.q_proj", 8, 7, 4))
                                     .load();
    EXPECT_TRUE(loaded.adapter) << loaded.error;
    return loaded.adapter ? loaded.adapter->modules[0].scale : 0;
  };
  EXPECT_EQ(scale("caf\xc3\xa9.q_proj"), 1);
  EXPECT_EQ(scale("caf\xc3\xa8.q_proj"), 2);
  EXPECT_EQ(scale("caf..q_proj"), 1);  // a dot is one character, of however many bytes
  EXPECT_EQ(scale("caf...q_proj"), 2);
  EXPECT_EQ(scale("[a-c]af\\\\w\\\\.q_proj"), 1);
}

TEST(Peft, RanksMayDifferByModule) {
  AdapterFolder folder;
  folder.peft(config(R"("rank_pattern": {"v_proj": 2})"),
              peft_pair(kQ, 8, 7, 4) + peft_pair(kV, 6, 5, 2));
  const LoadedAdapter loaded = folder.load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  EXPECT_EQ(loaded.adapter->modules[1].rank(), 2);
  EXPECT_EQ(loaded.adapter->modules[1].scale, 4);
}

TEST(Peft, TargetModulesSayWhatIsMatched) {
  const auto matched = [](const std::string& targets) {
    AdapterFolder folder;
    const LoadedAdapter loaded =
        folder
            .peft(R"({"peft_type": "LORA", "r": 4, "target_modules": )" + targets + "}",
                  two_modules())
            .load();
    if (!loaded.adapter) return loaded.error.substr(loaded.error.find("its config"));
    return std::to_string(loaded.adapter->modules[0].matched) +
           std::to_string(loaded.adapter->modules[1].matched);
  };
  EXPECT_EQ(matched(R"(["q_proj"])"), "10");
  EXPECT_EQ(matched(R"("all-linear")"), "11");
  EXPECT_EQ(matched(R"("All-Linear")"), "11");
  // There it is an expression like any other.
  EXPECT_EQ(matched(R"("all-linear", "exclude_modules": "all-linear")"), "11");
  EXPECT_EQ(matched(R"(".*\\.self_attn\\.(q|v)_proj")"), "11");
  EXPECT_EQ(matched(R"(".*v_proj")"), "01");
  EXPECT_EQ(matched(R"(["proj"])"), "its config names none of its 2 modules, such as '" + kQ + "'");
  EXPECT_EQ(matched(R"(["q_proj", "v_proj"], "layers_to_transform": [1])"),
            "its config names none of its 2 modules, such as '" + kQ + "'");
  EXPECT_EQ(
      matched(R"(["q_proj", "v_proj"], "layers_to_transform": 0, "layers_pattern": "layers")"),
      "11");
  EXPECT_EQ(matched(R"(["q_proj", "v_proj"], "exclude_modules": ["v_proj"])"), "10");
  // PEFT does not ask for the layer of a path that it is told whole.
  EXPECT_EQ(matched(R"([")" + kQ + R"(", "v_proj"], "layers_to_transform": [1])"), "10");
}

// PEFT reads the number behind the first match of (?:^|.*?\.)<pattern>\.(\d+)\. in the path.
TEST(Peft, LayersPatternsAreExpressions) {
  const auto matched = [](const std::string& layers, const std::vector<std::string>& paths) {
    std::vector<Counted> tensors;
    for (const std::string& path : paths) tensors = tensors + peft_pair(path, 6, 5, 4);
    AdapterFolder folder;
    const LoadedAdapter loaded = folder.peft(config(layers), tensors).load();
    std::string found;
    if (!loaded.adapter) return loaded.error.substr(loaded.error.find("its config"), 22);
    for (const LoraModule& module : loaded.adapter->modules) found += module.matched ? '1' : '0';
    return found;
  };
  const auto first = [](const std::string& pattern) {
    return R"("layers_to_transform": [0], "layers_pattern": ")" + pattern + '"';
  };
  EXPECT_EQ(matched(first("model.layers"), {kQ, "model.layers.1.q_proj"}), "10");
  EXPECT_EQ(
      matched(first("encoder.layers"), {"decoder.layers.0.q_proj", "encoder.layers.0.q_proj"}),
      "01");
  EXPECT_EQ(matched(first("(?:h|layers)"), {"model.h.0.q_proj", "model.layers.1.q_proj"}), "10");
  EXPECT_EQ(matched(first("block_\\\\w"), {"model.block_a.0.q_proj", "model.h.0.q_proj"}), "10");
  EXPECT_EQ(matched(first("h.*"), {"m.h.0.h.1.q_proj", "m.h.1.h.0.q_proj"}), "01");
  EXPECT_EQ(matched(first("h.*?"), {"m.h.0.h.1.q_proj", "m.h.1.h.0.q_proj"}), "10");
  // Alternatives that are in no group cut the expression: the first of them has no number.
  EXPECT_EQ(matched(first("h|layers"), {"layers.0.q_proj", "m.h.0.q_proj"}), "10");
  EXPECT_EQ(matched(first("experts"), {kQ}), "its config names none ");
  const std::string two = R"("layers_to_transform": [0], "layers_pattern": ["h", "layers"])";
  EXPECT_EQ(matched(two, {"layers.0.h.1.q_proj", "layers.0.q_proj"}), "01");
  EXPECT_EQ(matched(first("(?=layers)layers"), {"model.layers.1.q_proj"}), "1") << "is not read";
}

TEST(Peft, AModuleThatIsSavedWholeIsNotMatched) {
  const auto matched = [](const std::string& saved) {
    AdapterFolder folder;
    folder.peft(config(R"("modules_to_save": )" + saved), two_modules());
    const LoadedAdapter loaded =
        folder.load({.format = {}, .rank = {}, .alpha = {}, .lenient = true});
    if (!loaded.adapter) return loaded.error;
    return std::to_string(loaded.adapter->modules[0].matched) +
           std::to_string(loaded.adapter->modules[1].matched);
  };
  EXPECT_EQ(matched(R"(["lm_head"])"), "11");
  EXPECT_EQ(matched(R"(["v_proj"])"), "10");
  EXPECT_EQ(matched(R"(["lm_head", "[a-q]_proj"])"), "01");
  EXPECT_EQ(matched(R"(["proj"])"), "11");
  EXPECT_SAYS(matched(R"(["self_attn"])"), "names none");
  EXPECT_SAYS(matched(R"(["(v_proj"])"), "key 'modules_to_save': the pattern '(v_proj' lacks a )");
  EXPECT_SAYS(matched(R"("v_proj")"), "expected a list of texts");
}

TEST(Peft, AnExpressionThatIsNotReadIsNoted) {
  AdapterFolder folder;
  const LoadedAdapter loaded =
      folder
          .peft(R"({"peft_type": "LORA", "r": 4, "target_modules": "(?!.*vision).*"})",
                two_modules())
          .load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  ASSERT_EQ(loaded.adapter->notes.size(), 1U);
  EXPECT_SAYS(loaded.adapter->notes[0], "looks ahead");
}

TEST(Peft, InitialisationThatChangesTheBaseIsNoted) {
  AdapterFolder folder;
  const LoadedAdapter loaded =
      folder.peft(config(R"("init_lora_weights": "pissa")"), two_modules()).load();
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  ASSERT_EQ(loaded.adapter->notes.size(), 1U);
  EXPECT_SAYS(loaded.adapter->notes[0], "changes the base");
  // Before all other notes.
  AdapterFolder two;
  const LoadedAdapter noted =
      two.peft(R"({"peft_type": "LORA", "r": 4, "target_modules": "(?!.*vision).*",
                   "init_lora_weights": "olora"})",
               two_modules())
          .load();
  ASSERT_TRUE(noted.adapter) << noted.error;
  ASSERT_EQ(noted.adapter->notes.size(), 2U);
  EXPECT_SAYS(noted.adapter->notes[0], "changes the base");
  for (const char* method : {"gaussian", "Gaussian", "orthogonal", "eva", "mica", "MiCA"}) {
    AdapterFolder other;
    const LoadedAdapter same =
        other.peft(config(R"("init_lora_weights": ")" + std::string(method) + '"'), two_modules())
            .load();
    ASSERT_TRUE(same.adapter) << same.error;
    EXPECT_FALSE(same.adapter->changes_base) << method;
  }
}

struct Refusal {
  std::string config, expected;
};

TEST(Peft, ConfigsOfOtherMethodsAreRefusedInWords) {
  const std::vector<Refusal> refusals = {
      {config(R"("use_dora": true)"), "'use_dora': is true, expected none: this is DoRA"},
      {config(R"("use_qalora": true)"), "QALoRA"},
      {config(R"("use_bdlora": {"nblocks": 2})"), "BD-LoRA"},
      {config(R"("kasa_config": {"beta": 0.1})"), "KaSA"},
      {config(R"("kasa_config": {})"), "KaSA"},  // with its defaults
      {config(R"("alora_invocation_tokens": [1, 2])"), "activated LoRA"},
      {config(R"("arrow_config": {"top_k": 3})"), "Arrow"},
      {config(R"("target_parameters": ["experts.w1"])"), "experts"},
      {config(R"("lora_bias": true)"), "bias"},
      {config(R"("modules_to_save": ["lm_head"])"), "lenient reading"},
      {config(R"("trainable_token_indices": [3])"), "lenient reading"},
      {config(R"("use_rslora": "false")"), "'use_rslora': is \"false\", expected true or false"},
      {config(R"("use_rslora": 1)"), "expected true or false"},
      {R"({"peft_type": "ADALORA", "r": 4})", "'peft_type': is \"ADALORA\", expected \"LORA\""},
      {R"({"r": 4})", "'peft_type': is missing, expected \"LORA\""},
      {R"({"peft_type": "LORA", "r": null})", "'r': is null, expected a number"},
      {R"({"peft_type": "LORA", "r": 0})", "'r': is 0, expected a rank of 1 or more"},
      {R"({"peft_type": "LORA", "r": -4})", "'r': is -4"},
      {R"({"peft_type": "LORA", "r": 4.0})", "'r': is 4.0, expected a whole number"},
      {R"({"peft_type": "LORA", "r": true})", "'r': is true"},
      {R"({"peft_type": "LORA", "r": 18446744073709551615})", "'r': is"},
      {R"({"peft_type": "LORA", "r": 4, "lora_alpha": "8"})", "expected a number"},
      {R"({"peft_type": "LORA", "r": 4, "lora_alpha": NaN})", "JSON"},
      {R"({"peft_type": "LORA", "r": 4, "lora_alpha": Infinity})", "JSON"},
      {R"({"peft_type": "LORA", "r": 4, "lora_alpha": 1e999})", "out of range"},
      {R"({"peft_type": "LORA", "r": 4, "lora_alpha": 1e300})", "beyond every float"},
      {R"({"peft_type": "LORA", "r": 4, "r": 8})", "duplicate"},
      {R"({"peft_type": "LORA", "r": 8})", "its rank is 4, the config says 8"},
      {config(R"("rank_pattern": {"q_proj": 2})"), "its rank is 4, the config says 2"},
      {config(R"("rank_pattern": {"q_proj": 0})"), "rank_pattern"},
      {config(R"("rank_pattern": {"q_proj": 1e300})"), "below 2^31"},
      {R"({"peft_type": "LORA", "r": 9223372036854775807})", "below 2^31"},
      {config(R"("rank_pattern": {"q_proj": "4"})"), "is no number"},
      {config(R"x("alpha_pattern": {"(?=q)": 4})x"), "looks ahead"},
      {config(R"("alpha_pattern": {"(q": 4})"), "lacks a )"},
      {config(R"("alpha_pattern": 3)"), "expected an object of patterns"},
      {R"({"peft_type": "LORA", "r": 4, "target_modules": []})", "names none"},
      {R"({"peft_type": "LORA", "r": 4, "target_modules": [3]})", "expected a list of texts"},
      {R"({"peft_type": "LORA", "r": 4, "target_modules": ".*(q|v_proj"})",
       "key 'target_modules': the pattern '.*(q|v_proj' lacks a )"},
      {R"({"peft_type": "LORA", "r": 4, "target_modules": ".*", "layers_to_transform": [0]})",
       "'layers_to_transform': is a list, expected none beside a target_modules that is a text"},
      {R"({"peft_type": "LORA", "r": 4, "target_modules": "all-linear", "layers_pattern": "h"})",
       "'layers_pattern': is \"h\", expected none beside a target_modules that is a text"},
      {config(R"("layers_pattern": ["h"])"), "'layers_to_transform': is missing, expected layers"},
      {config(R"("layers_pattern": "(h", "layers_to_transform": 0)"),
       "key 'layers_pattern': the pattern '(h' lacks a )"},
      {config(R"x("alpha_pattern": {"(?P<n>q)(?P<n>_proj)": 4})x"), "names two groups 'n'"},
      {"[]", "expected a JSON object"},
      {std::string(5 << 20, ' '), "is larger than 4 MiB"},
      {"", "no valid JSON"},
      {"{", "no valid JSON"},
      {std::string(100, '['), "nested too deeply"}};
  for (const Refusal& refusal : refusals) {
    AdapterFolder folder;
    const std::string error = folder.peft(refusal.config, two_modules()).error();
    EXPECT_SAYS(error, refusal.expected) << refusal.config;
    EXPECT_SAYS(error, folder.path()) << "the error names the file";
    EXPECT_EQ(error.find('\n'), std::string::npos);
  }
}

TEST(Peft, KeysThatAreNoPairOfPlainLoraAreRefusedInWords) {
  const std::string module = kPrefix + kQ;
  const auto with = [&](const Counted& extra) { return two_modules() + std::vector{extra}; };
  const std::vector<std::pair<std::vector<Counted>, std::string>> refusals = {
      {with({module + ".lora_B.bias", 1, 7}), "bias"},
      {with({module + ".base_layer.bias", 1, 7}), "base model"},
      {with({module + ".lora_magnitude_vector", 1, 7}), "DoRA"},
      {with({kPrefix + "model.embed_tokens.lora_embedding_A", 4, 9}), "embedding"},
      {with({kPrefix + "model.embed_tokens.token_adapter.trainable_tokens_delta", 4, 9}), "tokens"},
      {with({kPrefix + "lm_head.weight", 4, 9}), "no key of a LoRA pair"},
      {with({kPrefix + kQ + ".lora_E", 4, 1}), "AdaLoRA"},
      {with({"x.lora_a", 4, 9}), "no key of a LoRA pair"},
      {with({kPrefix + "k_proj.lora_A.weight", 4, 9}), "its other half is missing: there is no B"},
      {with({kPrefix + "k_proj.lora_B.weight", 4, 9}), "there is no A"},
      {with({kQ + ".lora_A.weight", 4, 8}), "a second spelling"},
      {with({module + ".lora_A.default.weight", 4, 8}), "a second spelling"},
      {peft_pair(kQ, 8, 7, 4) + std::vector<Counted>{{kPrefix + kV + ".lora_A.weight", 4, 6},
                                                     {kPrefix + kV + ".lora_B.weight", 5, 3}},
       "expected one rank"},
      {{{module + ".lora_A.weight", 0, 8}, {module + ".lora_B.weight", 7, 0}},
       "expected extents of 1 or more"},
      {{{"lm_head.weight", 3, 3}}, "no key of a LoRA pair"},
      {{}, "holds no LoRA module"}};
  for (const auto& [tensors, expected] : refusals) {
    AdapterFolder folder;
    EXPECT_SAYS(folder.peft(config(), tensors).error(), expected) << expected;
  }
}

// In C a text ends with its first zero, and Python wants UTF-8.
TEST(Peft, NamesThatNoTextHoldsAreRefused) {
  for (const char* character : {"\\u0000", "\\n", "\\u007f"}) {
    AdapterFolder folder;
    folder.peft(R"({"peft_type": "LORA", "r": 4})",
                peft_pair("a.q_proj", 8, 7, 4) +
                    peft_pair("b" + std::string(character) + ".q_proj", 8, 7, 4));
    EXPECT_SAYS(folder.error(), "is no name") << character;
    LoadOptions lenient;
    lenient.lenient = true;
    const LoadedAdapter loaded = folder.load(lenient);
    ASSERT_TRUE(loaded.adapter) << loaded.error;
    EXPECT_EQ(loaded.adapter->modules.size(), 1U);
    EXPECT_EQ(loaded.adapter->skipped.size(), 2U);
  }
}

TEST(Peft, LenientReadingListsWhatItSkips) {
  AdapterFolder folder;
  folder.peft(config(R"("modules_to_save": ["lm_head"])"),
              two_modules() + std::vector<Counted>{{kPrefix + "lm_head.weight", 4, 9},
                                                   {kPrefix + "k_proj.lora_A.weight", 4, 9}});
  const LoadedAdapter loaded =
      folder.load({.format = {}, .rank = {}, .alpha = {}, .lenient = true});
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  EXPECT_EQ(loaded.adapter->modules.size(), 2U);
  ASSERT_EQ(loaded.adapter->skipped.size(), 2U);
  EXPECT_SAYS(loaded.adapter->skipped[0], "lm_head.weight");
  EXPECT_SAYS(loaded.adapter->skipped[1], "other half");
}

TEST(Peft, LenientReadingCountsWhatItSkipsBehindTheFirstThousand) {
  std::vector<Counted> tensors = two_modules();
  for (int i = 1000; i < 2200; ++i) {
    tensors.push_back({kPrefix + "k_proj." + std::to_string(i) + ".lora_A.weight", 1, 1});
  }
  AdapterFolder folder;
  const LoadedAdapter loaded =
      folder.peft(config(), tensors).load({.format = {}, .rank = {}, .alpha = {}, .lenient = true});
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  ASSERT_EQ(loaded.adapter->skipped.size(), 1001U);
  EXPECT_SAYS(loaded.adapter->skipped[999], "k_proj.1999.lora_A.weight");
  EXPECT_EQ(loaded.adapter->skipped[1000], "and 200 more keys");
}

// What stands beside a pair makes its module more than plain LoRA: to read the pair alone would
// give another product.
TEST(Peft, LenientReadingLeavesOutAModuleWithMoreThanItsPair) {
  for (const char* part :
       {".lora_B.bias", ".lora_magnitude_vector", ".lora_magnitude_vector.default.weight",
        ".base_layer.bias", ".lora_E"}) {
    AdapterFolder folder;
    folder.peft(config(), two_modules() + std::vector<Counted>{{kPrefix + kQ + part, 1, 7}});
    const LoadedAdapter loaded =
        folder.load({.format = {}, .rank = {}, .alpha = {}, .lenient = true});
    ASSERT_TRUE(loaded.adapter) << loaded.error;
    ASSERT_EQ(loaded.adapter->modules.size(), 1U) << part;
    EXPECT_EQ(loaded.adapter->modules[0].path, kV);
    ASSERT_EQ(loaded.adapter->skipped.size(), 2U);
    EXPECT_SAYS(loaded.adapter->skipped[1], "is more than plain LoRA with");
  }
  // What the base was, and what only training uses, changes nothing of the product.
  for (const char* part : {".base_layer.weight", ".lora_velora_embed"}) {
    AdapterFolder folder;
    folder.peft(config(), two_modules() + std::vector<Counted>{{kPrefix + kQ + part, 7, 8}});
    EXPECT_SAYS(folder.error(), "lenient reading keeps the rest");
    const LoadedAdapter loaded =
        folder.load({.format = {}, .rank = {}, .alpha = {}, .lenient = true});
    ASSERT_TRUE(loaded.adapter) << loaded.error;
    EXPECT_EQ(loaded.adapter->modules.size(), 2U) << part;
    EXPECT_EQ(loaded.adapter->skipped.size(), 1U);
  }
}

TEST(Peft, FactorsOfMoreExtentsAreRefused) {
  AdapterFolder folder;
  folder.file("adapter_config.json", config())
      .file("adapter_model.safetensors",
            safetensors(
                R"({")" + kPrefix + kQ +
                    R"(.lora_A.weight":{"dtype":"F32","shape":[2,2,1],"data_offsets":[0,16]}})",
                std::string(16, '\0')));
  EXPECT_SAYS(folder.error(), "has the shape [2, 2, 1], expected two extents");
}

TEST(Peft, OtherElementTypesAreRefused) {
  AdapterFolder folder;
  folder.file("adapter_config.json", config())
      .file(
          "adapter_model.safetensors",
          safetensors(R"({")" + kPrefix + kQ +
                          R"(.lora_A.weight":{"dtype":"F64","shape":[1,2],"data_offsets":[0,16]}})",
                      std::string(16, '\0')));
  EXPECT_SAYS(folder.error(), "is F64, expected F32, F16 or BF16");
}

TEST(Peft, ExpressionsTakeNoMoreMemoryTogetherThanTheyMay) {
  std::string patterns;
  for (int i = 0; i < 20; ++i) {
    patterns += (i > 0 ? ", " : "") + ("\"((a{100}){100}|" + std::to_string(i)) + ")\": 4";
  }
  AdapterFolder folder;
  folder.peft(config(R"("alpha_pattern": {)" + patterns + "}"), two_modules());
  EXPECT_SAYS(folder.error(), "expected patterns that are smaller together");
  patterns.clear();
  for (int i = 0; i < 100; ++i) {
    patterns +=
        (i > 0 ? ", \"(" : "\"(") + std::to_string(i) + std::string(3000, 'a') + "){0}\": 4";
  }
  AdapterFolder never;
  never.peft(config(R"("alpha_pattern": {)" + patterns + "}"), two_modules());
  EXPECT_SAYS(never.error(), "expected patterns that are smaller together");
}

// Every name of the config might be the end of every path, and every key of a pattern too.
TEST(Peft, ManyNamesAndManyModulesTakeNoTime) {
  std::string names;
  for (int i = 0; i < 30000; ++i) {
    names += (i > 0 ? ",\"" : "\"") + std::string(90, 'a') + std::to_string(i) + "\"";
  }
  std::vector<Counted> tensors = peft_pair(kQ, 1, 1, 4);
  for (int i = 0; i < 10000; ++i) {
    const std::string path = kPrefix + std::to_string(i) + "." + std::string(90, 'a');
    tensors.push_back({path + ".lora_A.weight", 4, 1});
    tensors.push_back({path + ".lora_B.weight", 1, 4});
  }
  AdapterFolder many;
  many.peft(R"({"peft_type": "LORA", "r": 4, "target_modules": [)" + names + R"(,"q_proj"]})",
            tensors);
  std::clock_t begin = std::clock();
  EXPECT_EQ(many.error(), "");
  EXPECT_LT(std::clock() - begin, kSoon);

  std::string patterns;
  for (int i = 0; i < 8000; ++i) {
    patterns += (i > 0 ? ",\"" : "\"") + std::to_string(i) + std::string(480, 'a') + "\":4";
  }
  tensors.clear();
  for (int i = 0; i < 3000; ++i) {
    tensors =
        std::move(tensors) + peft_pair(std::to_string(i) + 'b' + std::string(480, 'a'), 1, 1, 4);
  }
  AdapterFolder alike;
  alike.peft(config(R"("alpha_pattern": {)" + patterns + "}"), tensors);
  begin = std::clock();
  EXPECT_SAYS(alike.error(), "takes too long to match");
  EXPECT_LT(std::clock() - begin, kSoon);
}

TEST(Peft, PathsHaveAFewParts) {
  std::string path;
  for (int i = 0; i < 40; ++i) path += "a.";
  path += "q_proj";
  AdapterFolder folder;
  EXPECT_SAYS(folder.peft(config(), peft_pair(path, 1, 1, 4)).error(), "has more than 32 parts");
}

TEST(Peft, AConfigOfManyMembersTakesNoTime) {
  std::string objects;
  for (int i = 0; i < 15; ++i) {
    objects += (i > 0 ? ", \"" : "\"") + std::to_string(i) + "\": {";
    for (int j = 0; j < 8190; ++j) {
      objects += (j > 0 ? ",\"" : "\"") + std::to_string(1'000'000'000'000'000 + j) + "\":1";
    }
    objects += "}";
  }
  AdapterFolder folder;
  folder.peft(config(objects), two_modules());
  const std::clock_t begin = std::clock();
  EXPECT_EQ(folder.error(), "");
  EXPECT_LT(std::clock() - begin, kSoon);  // it was three seconds
}

TEST(Peft, AHostileExpressionTakesNoTime) {
  AdapterFolder folder;
  std::string patterns;
  for (int i = 0; i < 500; ++i) {
    patterns += (i > 0 ? ", " : "") + ("\"(a*)*b" + std::to_string(i)) + "\": 4";
  }
  std::vector<Counted> tensors;
  for (int i = 0; i < 300; ++i) {
    tensors = tensors + peft_pair(std::string(500, 'a') + std::to_string(i), 1, 1, 4);
  }
  folder.peft(config(R"("alpha_pattern": {)" + patterns + "}"), tensors);
  EXPECT_SAYS(folder.error(), "takes too long to match");
}

}  // namespace
}  // namespace loratune
