// A ProgramCache keeps compiled programs in a folder, so that the next process need not compile
// them. An entry is a file that holds all that its program was made from, beside the program, so
// that one made from anything else is not taken for it.
//
// A program runs with the rights of whoever loads it, so the folder and its files belong to this
// user, and no other may write to them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace loratune {

// Any number of threads, and of processes, may use one folder at a time.
class ProgramCache {
 public:
  // Makes the folder where it is not there, for its owner alone. Throws std::invalid_argument, with
  // the reason in a line, for one that is no folder or that others may write to.
  ProgramCache(const std::filesystem::path& folder, std::uint64_t most_bytes);

  // The program that was made from `key`; nothing where there is none, or where its file is
  // damaged, another's, or from another key. Such a file is removed.
  std::optional<std::string> load(std::string_view key) const;

  // Keeps a program, and removes those that were not used for longest until all are within the
  // bound. What cannot be kept is not: a full disk is no reason to fail.
  void store(std::string_view key, std::string_view program) const;

  // Removes an entry, of which the driver said that it is no program.
  void remove(std::string_view key) const;

  std::filesystem::path path_of(std::string_view key) const;

 private:
  void make_room(std::uint64_t bytes) const;

  std::filesystem::path folder_;
  std::uint64_t most_bytes_;
};

}  // namespace loratune
