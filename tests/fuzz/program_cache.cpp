// An entry of a program cache: what it gives is what was stored under the key, or nothing.
#include "engine/internal/program_cache.h"

#include <fstream>

#include "fuzz.h"
#include "unit/temporary_folder.h"

namespace loratune::fuzz {
namespace {

constexpr std::string_view kKey = "source and options";
constexpr std::string_view kProgram = "\177ELF and more";

}  // namespace

bool read_and_use(std::string_view bytes) {
  static const TemporaryFolder kFolder;
  static const ProgramCache kCache(kFolder / "cache", 1 << 20);
  const std::filesystem::path path = kCache.path_of(kKey);
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  const std::optional<std::string> program = kCache.load(kKey);
  if (!program) {
    expect(!std::filesystem::exists(path), "an entry that is refused is removed");
    return false;
  }
  // The entry may hold another program, but then all of it, and within the file.
  expect(program->size() < bytes.size(), "a program is a part of its entry");
  expect(bytes.substr(bytes.size() - program->size()) == *program, "a program is the entry's end");
  return true;
}

std::vector<std::string> sound_inputs() {
  const TemporaryFolder folder;
  const ProgramCache cache(folder / "cache", 1 << 20);
  cache.store(kKey, kProgram);
  return {read_bytes(cache.path_of(kKey))};
}

}  // namespace loratune::fuzz
