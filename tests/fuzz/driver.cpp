// What all fuzz targets share. Before anything else each target reads its sound inputs, which must
// be taken, and inputs that are too large to be kept as files. Built with -fsanitize=fuzzer the
// target is then libFuzzer's. Built without it, a main() reads the sound inputs with one thing
// changed in each, and then the files that it is given:
//
//   fuzz_READER FILE|FOLDER...
//
// With $FUZZ_SEEDS the sound inputs are also written to that folder, for libFuzzer to begin with.
#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "fuzz.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace loratune::fuzz {
namespace {

// What readers stumble over, where a number or a word should stand.
constexpr auto kTokens = std::to_array<std::string_view>({"0",
                                                          "-1",
                                                          "1",
                                                          "2",
                                                          "0.5",
                                                          "-0.0",
                                                          "1e300",
                                                          "-1e300",
                                                          "1e-300",
                                                          "1e999",
                                                          "2147483647",
                                                          "2147483648",
                                                          "4294967296",
                                                          "-2147483649",
                                                          "9223372036854775807",
                                                          "9223372036854775808",
                                                          "18446744073709551615",
                                                          "null",
                                                          "true",
                                                          "\"\"",
                                                          "\"\\u001b[31m\"",
                                                          "[]",
                                                          "{}",
                                                          "[0]",
                                                          "1234567"});

bool in_token(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.';
}

// The first place from `from` on at which a number, a key or a word begins.
std::size_t next_token(std::string_view text, std::size_t from) {
  for (std::size_t at = from; at < text.size(); ++at) {
    if (in_token(text[at]) && (at == 0 || !in_token(text[at - 1]))) return at;
  }
  return std::string_view::npos;
}

std::size_t token_length(std::string_view text, std::size_t at) {
  std::size_t length = 0;
  while (at + length < text.size() && in_token(text[at + length])) ++length;
  return length;
}

std::string replaced(std::string_view text, std::size_t at, std::string_view with) {
  std::string changed(text.substr(0, at));
  changed += with;
  changed += text.substr(at + token_length(text, at));
  return changed;
}

// Values nested so deeply that a reader which calls itself for each overflows the stack.
std::vector<std::string> deep_values() {
  constexpr std::size_t kDepth = 200000;
  std::string objects;
  for (std::size_t i = 0; i < kDepth; ++i) objects += "{\"a\":";
  return {std::string(kDepth, '['), objects, std::string(kDepth, '[') + std::string(kDepth, ']')};
}

void read_large_inputs(const std::vector<std::string>& sound) {
  constexpr std::size_t kPlaces = 12;  // of a sound input
  read_and_use(std::string(1 << 20, ' '));
  read_and_use(std::string(1 << 20, '\0'));
  for (const std::string& deep : deep_values()) {
    read_and_use(deep);
    for (const std::string& input : sound) {
      const std::size_t step = input.size() / kPlaces + 1;
      for (std::size_t at = next_token(input, 0); at != std::string::npos;
           at = next_token(input, at + step)) {
        read_and_use(replaced(input, at, deep));
      }
    }
  }
}

void write_seeds(const std::filesystem::path& folder, const std::vector<std::string>& sound) {
  for (std::size_t i = 0; i < sound.size(); ++i) {
    std::ofstream(folder / ("sound-" + std::to_string(i)), std::ios::binary) << sound[i];
  }
}

void begin() {
  const std::vector<std::string> sound = sound_inputs();
  for (const std::string& input : sound) {
    expect(read_and_use(input), "a sound input is taken: " + input.substr(0, 2000));
  }
  read_large_inputs(sound);
  if (const char* folder = std::getenv("FUZZ_SEEDS")) write_seeds(folder, sound);
}

// Half of the time a token is replaced by one that readers stumble over: bytes changed at random
// seldom leave a number of JSON a number.
std::size_t mutate(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  std::minstd_rand random(seed);
  if (random() % 2 == 0) return LLVMFuzzerMutate(data, size, most);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t at = next_token(text, size == 0 ? 0 : random() % size);
  if (at == std::string_view::npos) at = next_token(text, 0);
  if (at == std::string_view::npos) return LLVMFuzzerMutate(data, size, most);
  const std::string changed = replaced(text, at, kTokens[random() % kTokens.size()]);
  if (changed.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::copy(changed.begin(), changed.end(), data);
  return changed.size();
}

}  // namespace
}  // namespace loratune::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  loratune::fuzz::begin();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  loratune::fuzz::read_and_use({reinterpret_cast<const char*>(data), size});
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  return loratune::fuzz::mutate(data, size, most, seed);
}

#ifndef LORATUNE_FUZZER
namespace loratune::fuzz {
namespace {

// Inputs that differ from a sound one in one token, in one bit, or in that their end is missing: as
// many of them, evenly spread, as may be read in a unit test.
void read_damaged_inputs(const std::vector<std::string>& sound) {
  constexpr std::size_t kMostBytes = 3000000;  // in all inputs of a kind that one input gives
  for (const std::string& input : sound) {
    const std::size_t most = kMostBytes / (input.size() + 1) + 1;
    std::vector<std::size_t> tokens;
    for (std::size_t at = next_token(input, 0); at != std::string::npos;
         at = next_token(input, at + token_length(input, at))) {
      tokens.push_back(at);
    }
    const std::size_t changes = tokens.size() * kTokens.size();
    for (std::size_t i = 0; i < changes; i += changes / most + 1) {
      read_and_use(replaced(input, tokens[i % tokens.size()], kTokens[i / tokens.size()]));
    }
    for (std::size_t i = 0; i < 8 * input.size(); i += 8 * input.size() / most + 1) {
      std::string flipped = input;
      flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
      read_and_use(flipped);
    }
    for (std::size_t i = 0; i < input.size(); i += input.size() / most + 1) {
      read_and_use(input.substr(0, i));
    }
  }
}

}  // namespace
}  // namespace loratune::fuzz

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t*, std::size_t size, std::size_t) {
  return size;
}

int main(int argc, char** argv) {
  // What the program would print is not wanted here.
  if (std::freopen("/dev/null", "w", stdout) == nullptr) return 1;
  loratune::fuzz::begin();
  loratune::fuzz::read_damaged_inputs(loratune::fuzz::sound_inputs());
  int files = 0;
  const auto replay = [&](const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    loratune::fuzz::read_and_use(bytes);
    ++files;
  };
  for (int i = 1; i < argc; ++i) {
    if (argv[i][0] == '-') continue;  // an option of libFuzzer
    if (!std::filesystem::is_directory(argv[i])) {
      replay(argv[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) replay(entry.path());
  }
  std::fprintf(stderr, "%d files of the corpus were read\n", files);
  return files > 0 ? 0 : 1;
}
#endif
