#include <gtest/gtest.h>

#include "adapters/adapter_files.h"

namespace loratune {
namespace {

std::string text(const std::string& value) { return bytes_of<std::uint64_t>(value.size()) + value; }

// A file that is put together part by part, each of which a test may break.
struct GgufParts {
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::uint64_t tensor_count = 2, pair_count = 4;
  std::string pairs = text("general.type") + bytes_of(8) + text("adapter") +  //
                      text("adapter.type") + bytes_of(8) + text("lora") +
                      text("general.architecture") + bytes_of(8) + text("qwen2") +
                      text("adapter.lora.alpha") + bytes_of(6) + bytes_of(8.0F);
  std::string tensors = tensor("blk.0.attn_v.weight.lora_a", {4, 2}, 0, 0) +
                        tensor("blk.0.attn_v.weight.lora_b", {2, 3}, 0, 32);
  std::string data = std::string(32 + 24, '\1');

  static std::string tensor(const std::string& name, const std::vector<std::uint64_t>& dims,
                            std::uint32_t type, std::uint64_t offset) {
    std::string bytes = text(name) + bytes_of(static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims) bytes += bytes_of(dim);
    return bytes + bytes_of(type) + bytes_of(offset);
  }
  std::string bytes() const {
    std::string all =
        magic + bytes_of(version) + bytes_of(tensor_count) + bytes_of(pair_count) + pairs + tensors;
    all.resize((all.size() + 31) / 32 * 32, '\0');
    return all + data;
  }
};

LoadedAdapter load(const std::string& bytes) {
  const TemporaryFolder folder;
  write_bytes(folder / "lora.gguf", bytes);
  return load_adapter((folder / "lora.gguf").string());
}

TEST(Gguf, ReadsModulesInCanonicalForm) {
  const LoadedAdapter loaded = load(GgufParts().bytes());
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  EXPECT_EQ(loaded.adapter->format, Format::gguf);
  EXPECT_EQ(loaded.adapter->architecture, "qwen2");
  const LoraModule& module = loaded.adapter->modules.at(0);
  EXPECT_EQ(module.path, "blk.0.attn_v");
  EXPECT_EQ(module.rank(), 2);
  EXPECT_EQ(module.in(), 4);
  EXPECT_EQ(module.out(), 3);
  EXPECT_EQ(module.scale, 4);
}

TEST(Gguf, AlphaOfZeroOrNoneIsScaleOne) {
  for (const bool stated : {true, false}) {
    GgufParts parts;
    const std::string alpha = text("adapter.lora.alpha") + bytes_of(6) + bytes_of(8.0F);
    parts.pairs.resize(parts.pairs.size() - alpha.size());
    if (stated) parts.pairs += text("adapter.lora.alpha") + bytes_of(6) + bytes_of(0.0F);
    if (!stated) parts.pair_count = 3;
    const LoadedAdapter loaded = load(parts.bytes());
    ASSERT_TRUE(loaded.adapter) << loaded.error;
    EXPECT_EQ(loaded.adapter->modules[0].scale, 1);
  }
}

TEST(Gguf, ListsArePassedOver) {
  GgufParts parts;
  parts.pair_count = 6;
  parts.pairs += text("general.tags") + bytes_of(9) + bytes_of(8) + bytes_of<std::uint64_t>(2) +
                 text("a") + text("b") + text("numbers") + bytes_of(9) + bytes_of(4) +
                 bytes_of<std::uint64_t>(3) + std::string(12, '\7');
  EXPECT_EQ(load(parts.bytes()).error, "");
}

TEST(Gguf, RowsThatLlamaCppReordersAreNoted) {
  GgufParts parts;
  parts.pairs.replace(parts.pairs.find("qwen2"), 5, "llama");
  parts.tensors = GgufParts::tensor("blk.0.attn_q.weight.lora_a", {4, 2}, 0, 0) +
                  GgufParts::tensor("blk.0.attn_q.weight.lora_b", {2, 3}, 0, 32);
  const LoadedAdapter loaded = load(parts.bytes());
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  ASSERT_EQ(loaded.adapter->notes.size(), 1U);
  EXPECT_SAYS(loaded.adapter->notes[0], "order of rows");
}

TEST(Gguf, RefusesBrokenFiles) {
  using Break = void (*)(GgufParts&);
  const std::vector<std::pair<std::string, Break>> refusals = {
      {"expected 2 or 3", [](GgufParts& p) { p.version = 1; }},
      {"big-endian", [](GgufParts& p) { p.version = 0x03000000; }},
      {"tensors, expected at most", [](GgufParts& p) { p.tensor_count = ~0ULL; }},
      {"key-value pairs, expected at most", [](GgufParts& p) { p.pair_count = ~0ULL; }},
      {"ends within its header", [](GgufParts& p) { p.pairs = bytes_of(~0ULL); }},
      {"a name has 1 to 256", [](GgufParts& p) { p.pairs = text("") + p.pairs; }},
      {"a name has 1 to 256",
       [](GgufParts& p) { p.pairs = text(std::string(300, 'a')) + p.pairs; }},
      {"'general.type': stands twice",
       [](GgufParts& p) { p.pairs.insert(0, p.pairs.substr(0, 8 + 12 + 4 + 8 + 7)); }},
      {"of type 13, which is none", [](GgufParts& p) { p.pairs = text("a") + bytes_of(13); }},
      {"list of values of type 9",
       [](GgufParts& p) { p.pairs = text("a") + bytes_of(9) + bytes_of(9) + bytes_of(1ULL); }},
      {"more than the file has",
       [](GgufParts& p) {
         p.pairs = text("a") + bytes_of(9) + bytes_of(4) + bytes_of(1ULL << 62U);
       }},
      {"which is too long",
       [](GgufParts& p) {
         p.pairs = text("a") + bytes_of(9) + bytes_of(8) + bytes_of(1ULL << 62U);
       }},
      {"has 0 extents", [](GgufParts& p) { p.tensors = GgufParts::tensor("a", {}, 0, 0); }},
      {"has 5 extents",
       [](GgufParts& p) {
         p.tensors = GgufParts::tensor("a", {1, 1, 1, 1, 1}, 0, 0);
       }},
      {"does not fit 63 bits",
       [](GgufParts& p) { p.tensors.replace(p.tensors.find("lora_a") + 10, 8, bytes_of(~0ULL)); }},
      {"does not fit 63 bits",
       [](GgufParts& p) {
         p.tensors.replace(p.tensors.find("lora_a") + 10, 16,
                           bytes_of(1ULL << 40U) + bytes_of(1ULL << 40U));
       }},
      {"of GGUF's type 14",
       [](GgufParts& p) { p.tensors.replace(p.tensors.find("lora_a") + 26, 4, bytes_of(14)); }},
      {"no whole blocks of 32",
       [](GgufParts& p) { p.tensors.replace(p.tensors.find("lora_a") + 26, 4, bytes_of(8)); }},
      {"stands at offset 8, expected 0",
       [](GgufParts& p) { p.tensors.replace(p.tensors.find("lora_a") + 30, 8, bytes_of(8ULL)); }},
      {"stands at offset 64, expected 32",
       [](GgufParts& p) { p.tensors.replace(p.tensors.find("lora_b") + 30, 8, bytes_of(64ULL)); }},
      {"ends behind the file", [](GgufParts& p) { p.data.resize(p.data.size() - 1); }},
      {"bytes behind its last tensor", [](GgufParts& p) { p.data.resize(100); }},
      {"'blk.0.attn_v.weight.lora_a': stands twice",
       [](GgufParts& p) { p.tensors.replace(p.tensors.find("lora_b"), 6, "lora_a"); }},
      {"'general.type': is '', expected 'adapter'",
       [](GgufParts& p) { p.pairs.replace(p.pairs.find("general.type"), 12, "general.typo"); }},
      {"is no name",
       [](GgufParts& p) {
         for (const char* half : {"lora_a", "lora_b"}) {
           p.tensors.replace(p.tensors.find(half) - 9, 1, "\xff");
         }
       }},
      {"'adapter.type': is 'lorb', expected 'lora'",
       [](GgufParts& p) { p.pairs.replace(p.pairs.find("lora"), 4, "lorb"); }},
      {"activated LoRA",
       [](GgufParts& p) {
         p.pair_count = 5;
         p.pairs += text("adapter.alora.invocation_tokens") + bytes_of(9) + bytes_of(4) +
                    bytes_of(1ULL) + bytes_of(7);
       }},
      {"LoRA of an embedding",
       [](GgufParts& p) {
         p.tensors = GgufParts::tensor("token_embd.weight.lora_a", {4, 2}, 0, 0) +
                     GgufParts::tensor("token_embd.weight.lora_b", {2, 3}, 0, 32);
       }},
      {"is no key of a LoRA pair", [](GgufParts& p) {
         p.tensors.replace(p.tensors.find("weight.lora_b"), 13, "weight.lora_c");
       }}};
  for (const auto& [expected, break_it] : refusals) {
    GgufParts parts;
    break_it(parts);
    EXPECT_SAYS(load(parts.bytes()).error, expected);
  }
  // What type the tokens have does not matter.
  for (const std::string& value : {bytes_of(4) + bytes_of(7), bytes_of(8) + text("7")}) {
    GgufParts tokens;
    tokens.pair_count = 5;
    tokens.pairs += text("adapter.alora.invocation_tokens") + value;
    EXPECT_SAYS(load(tokens.bytes()).error,
                "key 'adapter.alora.invocation_tokens': is of activated LoRA");
  }
  GgufParts alignment;
  alignment.pair_count = 5;
  alignment.pairs += text("general.alignment") + bytes_of(4) + bytes_of(3);
  EXPECT_SAYS(load(alignment.bytes()).error, "no power of two");
  // An alpha that is no number would be taken for none, and the scale for 1.
  GgufParts alpha;
  alpha.pairs.replace(alpha.pairs.find("adapter.lora.alpha") + 18, 8, bytes_of(8) + text("8"));
  EXPECT_SAYS(load(alpha.bytes()).error, "key 'adapter.lora.alpha': is no number");
  alpha.pairs.replace(alpha.pairs.find("adapter.lora.alpha") + 18, 13,
                      bytes_of(9) + bytes_of(6) + bytes_of(1ULL) + bytes_of(8.0F));
  EXPECT_SAYS(load(alpha.bytes()).error, "key 'adapter.lora.alpha': is no number");
}

TEST(Gguf, EveryShorterFileIsRefused) {
  const std::string whole = GgufParts().bytes();
  ASSERT_EQ(load(whole).error, "");
  for (std::size_t size = 0; size < whole.size(); size += 3) {
    EXPECT_NE(load(whole.substr(0, size)).error, "") << size;
  }
}

}  // namespace
}  // namespace loratune
