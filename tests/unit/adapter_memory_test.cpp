// Too little memory is told as such, and is no fault of an adapter's files.
#include <gtest/gtest.h>

#include <new>

#include "loratune/adapters/load_adapter.h"
#include "loratune/adapters/save_adapter.h"
#include "unit/allocations.h"
#include "unit/temporary_folder.h"

namespace loratune {
namespace {

// Whether the action throws std::bad_alloc where its first allocation fails.
template <class Action>
bool throws_without_memory(const Action& action) {
  bool thrown = false;
  allocations().before_failure = 0;
  try {
    action();
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  allocations().before_failure = -1;
  return thrown;
}

TEST(AdapterMemory, ThatThereIsNoneOfIsNoFaultOfTheFiles) {
  const std::string path = LORATUNE_SOURCE_DIR "/tests/data/adapters/peft_plain";
  const LoadedAdapter loaded = load_adapter(path);
  ASSERT_TRUE(loaded.adapter) << loaded.error;
  EXPECT_TRUE(throws_without_memory([&] { load_adapter(path); }));
  const TemporaryFolder folder;
  const std::string target = folder / "saved";
  EXPECT_TRUE(throws_without_memory([&] { save_adapter(*loaded.adapter, Format::peft, target); }));
  EXPECT_EQ(folder.files(), 0);
}

}  // namespace
}  // namespace loratune
