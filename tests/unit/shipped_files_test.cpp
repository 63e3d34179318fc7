// The tuned files that the repository ships: what was measured on a device that is not at hand has
// to stay of use, since nobody can measure it again before that device is back.
#include <gtest/gtest.h>

#include <filesystem>

#include "loratune/dispatch/tuned_file.h"
#include "loratune/variants/variant.h"

namespace loratune {
namespace {

namespace fs = std::filesystem;

// Names the kernels of the file that run on GPUs only and have another source in this build.
std::string stale_gpu_kernels(const TunedFile& file) {
  const Problem problem = {.rank = 8, .m = 16, .k = 512, .n = 512};
  DeviceInfo cpu;
  cpu.type = DeviceType::cpu;
  cpu.max_work_group_size = 4096;
  cpu.local_mem_bytes = 1 << 20;
  cpu.max_alloc_bytes = std::int64_t{1} << 32;
  std::string names;
  for (const auto& [name, kernel] : file.kernels) {
    const Variant* variant = find_variant(name);
    if (variant != nullptr && variant->supports(problem, cpu)) continue;
    const bool same = variant != nullptr && kernel.source_sha256 == variant->source_sha256 &&
                      kernel.revision == variant->revision;
    if (!same) names += name + " ";
  }
  return names;
}

TEST(ShippedFiles, RecordsOfGpuKernelsAreOfThisBuildsSource) {
  int files = 0;
  for (const auto& entry : fs::directory_iterator(LORATUNE_SOURCE_DIR "/results/tuned")) {
    const ParsedTunedFile parsed = load_tuned_file(entry.path());
    ASSERT_TRUE(parsed.file) << entry.path() << ": " << parsed.error;
    EXPECT_EQ(stale_gpu_kernels(*parsed.file), "")
        << entry.path() << ": a record counts for one source of its kernel, the .clh files that it "
        << "includes among them, so every record of these is lost. Keep the edit out of what these "
        << "kernels include, or sweep on such a GPU again and ship the new file with the edit";
    ++files;
  }
  EXPECT_GE(files, 2);
}

TEST(ShippedFiles, AnEditOfAGpuKernelIsFound) {
  ParsedTunedFile parsed = load_tuned_file(LORATUNE_SOURCE_DIR "/results/tuned/nvidia-h200.json");
  ASSERT_TRUE(parsed.file);
  parsed.file->kernels.at("tensor").source_sha256.back() ^= 1;
  EXPECT_EQ(stale_gpu_kernels(*parsed.file), "tensor ");
}

}  // namespace
}  // namespace loratune
