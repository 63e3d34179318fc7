#include "loratune/dispatch/default_choice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace loratune {
namespace {

DeviceInfo device_of(std::int64_t work_group, std::int64_t local_bytes) {
  DeviceInfo device;
  device.type = DeviceType::gpu;
  device.max_work_group_size = work_group;
  device.local_mem_bytes = local_bytes;
  device.max_alloc_bytes = std::int64_t{1} << 30;
  device.compute_units = 16;
  return device;
}

Problem problem_of(std::int64_t m, int rank) {
  Problem problem;
  problem.m = m;
  problem.k = problem.n = 512;
  problem.rank = rank;
  return problem;
}

TEST(DefaultChoice, IsSplitWhereItFitsAndNaiveWhereItDoesNot) {
  EXPECT_EQ(default_choice(problem_of(16, 8), device_of(256, 32768)).variant->name, "split");
  EXPECT_EQ(default_choice(problem_of(16, 1024), device_of(64, 2048)).variant->name, "naive");
  Problem adapters = problem_of(16, 1024);
  adapters.adapters = 8;
  EXPECT_EQ(default_choice(adapters, device_of(64, 512)).variant->name, "naive");
}

DeviceInfo tensor_cores() {
  DeviceInfo device = device_of(1024, 49152);
  device.nv_compute_capability = 90;
  return device;
}

std::string_view name_of(const Problem& problem, const DeviceInfo& device) {
  const Choice choice = default_choice(problem, device);
  EXPECT_TRUE(can_run(*choice.variant, choice.config, problem, device)) << to_string(problem);
  return choice.variant->name;
}

TEST(DefaultChoice, IsTensorOnTensorCores) {
  DeviceInfo device = tensor_cores();
  EXPECT_EQ(name_of(problem_of(128, 25), device), "tensor");
  EXPECT_EQ(name_of(problem_of(16, 1024), device), "split");
  device.nv_compute_capability = 70;
  EXPECT_EQ(name_of(problem_of(128, 8), device), "split");
}

TEST(DefaultChoice, DoesNotWaitForOtherGroupsWhereTheProductIsSmall) {
  const DeviceInfo device = tensor_cores();
  // So many rows of 512 are just few enough.
  for (const auto& [rank, most] :
       {std::pair<int, std::int64_t>{8, 256}, {5, 655}, {4, 512}, {1, 512}, {12, 113}}) {
    for (const std::int64_t m : {std::int64_t{0}, std::int64_t{1}, most}) {
      EXPECT_EQ(name_of(problem_of(m, rank), device), "rank_specialized") << m;
    }
    EXPECT_NE(name_of(problem_of(most + 1, rank), device), "rank_specialized") << most;
  }
  EXPECT_NE(name_of(problem_of(1, 13), device), "rank_specialized");
  Problem long_rows_of_few_ranks = problem_of(512, 4);
  long_rows_of_few_ranks.k = 4096;
  EXPECT_EQ(name_of(long_rows_of_few_ranks, device), "rank_specialized");
  ++long_rows_of_few_ranks.k;
  EXPECT_NE(name_of(long_rows_of_few_ranks, device), "rank_specialized");
  Problem longest = problem_of(1, 8);
  longest.m = longest.k = std::numeric_limits<std::int32_t>::max();
  EXPECT_NE(name_of(longest, device), "rank_specialized");
  longest.slices = {{128, 128, 256}, 3};
  EXPECT_NE(name_of(longest, device), "rank_specialized");
}

constexpr Types kOtherTypes[] = {{Dtype::bf16, Dtype::bf16}, {Dtype::f32, Dtype::f16},
                                 {Dtype::f32, Dtype::bf16},  {Dtype::f16, Dtype::f32},
                                 {Dtype::f16, Dtype::bf16},  {Dtype::bf16, Dtype::f32},
                                 {Dtype::bf16, Dtype::f16}};

// Tensor cores take all of these types; a small product is as small in each of them.
TEST(DefaultChoice, OfOtherTypesIsAVariantThatTakesThem) {
  for (const Types& types : kOtherTypes) {
    const auto name = [&](std::int64_t m, int rank, const DeviceInfo& device) {
      Problem problem = problem_of(m, rank);
      set_types(problem, types);
      return name_of(problem, device);
    };
    EXPECT_EQ(name(256, 8, tensor_cores()), "rank_specialized") << to_string(types);
    Problem alike = problem_of(128, 25);
    alike.dtype = types == Types(Dtype::bf16) ? Dtype::f16 : Dtype::f32;
    EXPECT_EQ(name(128, 25, tensor_cores()), name_of(alike, tensor_cores())) << to_string(types);
    EXPECT_EQ(name(257, 8, tensor_cores()), "tensor_rows") << to_string(types);
    EXPECT_EQ(name(16, 8, device_of(256, 32768)), "split") << to_string(types);
    EXPECT_EQ(name(16, 1024, device_of(64, 2048)), "naive") << to_string(types);
  }
}

// What is read of x sets the config; the weights are packed as f32 whatever they are.
TEST(DefaultChoice, OnACpuGoesByTheSizeOfXsElements) {
  DeviceInfo device = device_of(256, 32768);
  device.type = DeviceType::cpu;
  for (const char* vendor : {"AuthenticAMD", "GenuineIntel"}) {
    device.vendor = vendor;
    for (const std::int64_t m : {1, 16, 128}) {
      for (const int rank : {8, 16, 64}) {
        for (const Types& types : kOtherTypes) {
          Problem problem = problem_of(m, rank);
          problem.k = 2048;
          set_types(problem, types);
          Problem plain = problem;
          set_types(plain, element_bytes(types.data) == 2 ? Dtype::f16 : Dtype::f32);
          EXPECT_EQ(name_of(problem, device), "register_tiled");
          EXPECT_EQ(default_choice(problem, device).config, default_choice(plain, device).config)
              << to_string(problem);
        }
      }
    }
  }
}

TEST(DefaultChoice, OnTensorCoresTakesBlocksOfRowsWhereAAndBAreSmallOrBlocksFillTheDevice) {
  DeviceInfo device = tensor_cores();
  device.compute_units = 132;
  const auto name = [&](std::int64_t m, std::int64_t features, int rank, Dtype dtype) {
    Problem problem = problem_of(m, rank);
    problem.k = problem.n = features;
    problem.dtype = dtype;
    return name_of(problem, device);
  };
  EXPECT_EQ(name(128, 2048, 4, Dtype::f16), "rank_specialized");
  EXPECT_EQ(name(128, 2049, 4, Dtype::f16), "tensor_rows");
  EXPECT_EQ(name(129, 512, 4, Dtype::f16), "tensor_rows");
  EXPECT_EQ(name(1, 512, 5, Dtype::f16), "tensor_rows");
  EXPECT_EQ(name(1, 768, 64, Dtype::f16), "tensor_rows");
  EXPECT_EQ(name(1, 769, 64, Dtype::f16), "tensor");
  EXPECT_EQ(name(1, 1536, 29, Dtype::f16), "tensor_rows");
  EXPECT_EQ(name(1, 1536, 30, Dtype::f16), "tensor") << "and so are those of long rows sooner";
  EXPECT_EQ(name(1024, 1280, 64, Dtype::f16), "tensor_rows");
  EXPECT_EQ(name(1023, 1280, 64, Dtype::f16), "tensor");
  EXPECT_EQ(name(1, 4095, 9, Dtype::f16), "tensor_rows");
  EXPECT_EQ(name(1, 4096, 9, Dtype::f16), "tensor") << "long rows";
  EXPECT_EQ(name(1, 4096, 8, Dtype::f16), "tensor_rows");
  EXPECT_EQ(name(1 << 20, 512, 65, Dtype::f16), "tensor") << "it takes no more ranks";
  EXPECT_EQ(name(16, 768, 16, Dtype::f32), "tensor_rows");
  EXPECT_EQ(name(16, 769, 16, Dtype::f32), "tensor");
  EXPECT_EQ(name(512, 768, 8, Dtype::f32), "tensor_rows");
  EXPECT_EQ(name(512, 769, 8, Dtype::f32), "tensor");
  EXPECT_EQ(name(1024, 1536, 8, Dtype::f32), "tensor_rows");
  EXPECT_EQ(name(1023, 1536, 8, Dtype::f32), "tensor");
  for (const Dtype dtype : {Dtype::f32, Dtype::f16}) {
    EXPECT_EQ(name(118 * 16, 4096, 64, dtype), "tensor");
    EXPECT_EQ(name(118 * 16 + 1, 4096, 64, dtype), "tensor_rows") << "nine tenths of 132 units";
  }
}

// Of a kernel that takes whole blocks of rows: their number, times that of the parts of each.
TEST(DefaultChoice, CutsRowsAndColumnsIntoGroupsForHalfOfTheDeviceOrAllOfIt) {
  DeviceInfo device = tensor_cores();
  device.compute_units = 132;
  const Variant& variant = *find_variant("tensor_rows");
  const auto groups = [&](std::int64_t m, int rank, Dtype dtype) {
    Problem problem = problem_of(m, rank);
    problem.k = problem.n = 2048;
    problem.dtype = dtype;
    const LaunchPlan plan = variant.plan(problem, variant.default_config(problem, device), device);
    return plan.launches.at(0).global[0] / plan.launches.at(0).local[0];
  };
  EXPECT_EQ(groups(512, 16, Dtype::f16), 64U);
  EXPECT_EQ(groups(512, 17, Dtype::f16), 128U) << "many weights: four parts of 32 blocks";
  EXPECT_EQ(groups(1024, 16, Dtype::f16), 128U) << "two parts of 64 blocks";
  EXPECT_EQ(groups(2048, 16, Dtype::f16), 128U);
  EXPECT_EQ(groups(8192, 16, Dtype::f16), 128U) << "64 rows";
  EXPECT_EQ(groups(8192, 17, Dtype::f32), 128U);
  EXPECT_EQ(groups(8192, 16, Dtype::f32), 512U) << "16 rows";
}

// Each thread has then all of A and its columns' B.
TEST(DefaultChoice, OnACpuSharesOutTheColumnsOfFewRowsWhereTheWeightsAreLarge) {
  DeviceInfo device = device_of(64, 2048);
  device.type = DeviceType::cpu;
  device.compute_units = 2;
  const auto groups = [&](std::int64_t m, std::int64_t features, int rank, std::int64_t n) {
    Problem problem = problem_of(m, rank);
    problem.k = features;
    problem.n = n;
    const Choice choice = default_choice(problem, device);
    return choice.variant->plan(problem, choice.config, device).launches.at(0).global[0];
  };
  for (const std::int64_t m : {1, 4}) {
    EXPECT_EQ(groups(m, 2048, 48, 2048), 2U) << m;
    EXPECT_EQ(groups(m, 8192, 64, 8192), 2U) << m;
    EXPECT_EQ(groups(m, 2048, 47, 2048), 1U) << m;
    EXPECT_EQ(groups(m, 65536, 64, 16384), 1U) << "no block is so wide";
  }
  device.vendor = "AuthenticAMD";
  for (const std::int64_t m : {1, 2}) {
    EXPECT_EQ(groups(m, 8192, 96, 8192), 2U) << m;
    EXPECT_EQ(groups(m, 8192, 95, 8192), 1U) << m;
  }
  EXPECT_EQ(groups(4, 4096, 96, 4096), 2U);
  EXPECT_EQ(groups(4, 4096, 95, 4096), 1U);
  device.compute_units = 1;
  EXPECT_EQ(groups(4, 4096, 96, 4096), 1U);
  device.vendor.clear();
  EXPECT_EQ(groups(1, 2048, 64, 2048), 1U);
}

TEST(DefaultChoice, OnAnAmdTakesSmallTilesAndBlocks) {
  DeviceInfo device = device_of(256, 32768);
  device.type = DeviceType::cpu;
  device.compute_units = 2;
  const auto config = [&](const char* vendor, std::int64_t m, int rank, Dtype dtype) {
    device.vendor = vendor;
    Problem problem = problem_of(m, rank);
    problem.k = problem.n = 1024;
    problem.dtype = dtype;
    return default_choice(problem, device).config;
  };
  // K_LANES, ROWS, RANK_VECS, COLUMN_VECS, ROW_TILES, BLOCK_N.
  EXPECT_EQ(config("AuthenticAMD", 512, 64, Dtype::f32), (Config{1, 4, 4, 4, 1, 65536}));
  EXPECT_EQ(config("AuthenticAMD", 8, 25, Dtype::f16), (Config{1, 4, 2, 4, 1, 65536}));
  EXPECT_EQ(config("AuthenticAMD", 8, 24, Dtype::f16), (Config{16, 4, 4, 4, 1, 65536}));
  EXPECT_EQ(config("AuthenticAMD", 8, 48, Dtype::f32), (Config{1, 4, 1, 4, 1, 65536}));
  EXPECT_EQ(config("AuthenticAMD", 8, 96, Dtype::f32), (Config{1, 4, 2, 4, 1, 65536}));
  EXPECT_EQ(config("AuthenticAMD", 16, 16, Dtype::f16), (Config{16, 4, 4, 4, 1, 65536}));
  EXPECT_EQ(config("AuthenticAMD", 16, 16, Dtype::f32), (Config{1, 4, 1, 4, 1, 65536}));
  EXPECT_EQ(config("AuthenticAMD", 48, 12, Dtype::f32)[3], 2);
  EXPECT_EQ(config("AuthenticAMD", 48, 12, Dtype::f16)[3], 4);
  // Its second thread is slower, and a block costs it less.
  EXPECT_EQ(config("AuthenticAMD", 47, 12, Dtype::f32), (Config{16, 4, 4, 4, 1, 65536}));
  EXPECT_EQ(config("GenuineIntel", 47, 12, Dtype::f32), (Config{16, 4, 4, 4, 6, 65536}));
  EXPECT_EQ(config("AuthenticAMD", 7, 64, Dtype::f32), config("GenuineIntel", 7, 64, Dtype::f32));
  EXPECT_EQ(config("GenuineIntel", 512, 64, Dtype::f32)[1], 6);
}

TEST(DefaultChoice, IsRegisterTiledOnACpuWhateverTheProblem) {
  DeviceInfo device = device_of(64, 2048);
  device.type = DeviceType::cpu;
  for (const char* vendor : {"GenuineIntel", "AuthenticAMD"}) {
    device.vendor = vendor;
    for (const std::int64_t m : {0, 1, 2, 3, 8, 16, 128, 2048}) {
      for (const Dtype dtype : {Dtype::f32, Dtype::f16}) {
        for (int rank = 1; rank <= kMaxRank; rank = rank * 3 / 2 + 1) {
          Problem problem = problem_of(m, rank);
          problem.dtype = dtype;
          const Choice choice = default_choice(problem, device);
          ASSERT_EQ(choice.variant->name, "register_tiled");
          EXPECT_TRUE(can_run(*choice.variant, choice.config, problem, device))
              << vendor << ' ' << to_string(problem);
        }
      }
    }
  }
}

// A runtime hands the first thread that asks as many whole blocks as are its share; it has half of
// what it does meanwhile on top of it, since the others are still waking up.
TEST(DefaultChoice, OnACpuGivesNoThreadMuchMoreThanItsShareOfTheRows) {
  DeviceInfo device = device_of(256, 32768);
  device.type = DeviceType::cpu;
  for (const auto& [vendor, threads] :
       {std::pair("GenuineIntel", 2), std::pair("GenuineIntel", 4), std::pair("AuthenticAMD", 2),
        std::pair("AuthenticAMD", 4)}) {
    device.vendor = vendor;
    device.compute_units = threads;
    for (const int rank : {4, 8, 12, 16, 24, 32, 48, 64, 128}) {
      for (const std::int64_t m : {100, 128, 200, 256, 300, 333, 512, 1000, 2048}) {
        Problem problem = problem_of(m, rank);
        problem.k = problem.n = 2048;
        const Choice choice = default_choice(problem, device);
        const auto value = [&](std::string_view name) {
          const auto& parameters = choice.variant->space.parameters;
          const auto at = std::find_if(parameters.begin(), parameters.end(),
                                       [&](const Parameter& one) { return one.name == name; });
          return choice.config[static_cast<int>(at - parameters.begin())];
        };
        const std::int64_t rows = value("ROWS") * value("ROW_TILES");
        const std::int64_t blocks = (m + rows - 1) / rows;
        const std::int64_t most = (blocks + threads - 1) / threads * rows;
        const double while_others_wake_up = 4e5 / (2.0 * rank * 4096);
        EXPECT_LE(static_cast<double>(most),
                  1.25 * static_cast<double>(m) / threads + 1 + while_others_wake_up / 2)
            << vendor << ' ' << to_string(problem) << ", " << threads << " threads: blocks of "
            << rows;
      }
    }
  }
}

TEST(DefaultChoice, OfBatchInvariantIsTheSameForAllRowCountsAndRunsThemAll) {
  for (const bool cpu : {true, false}) {
    for (const int capability : {0, 90}) {
      DeviceInfo device = device_of(1024, 49152);
      device.type = cpu ? DeviceType::cpu : DeviceType::gpu;
      device.nv_compute_capability = capability;
      for (const int rank : {4, 8, 16, 64, 200}) {
        const Choice first = default_choice(problem_of(1, rank), device, Mode::batch_invariant);
        for (const std::int64_t m : {1, 2, 33, 64, 512, 5000}) {
          const Problem problem = problem_of(m, rank);
          const Choice choice = default_choice(problem, device, Mode::batch_invariant);
          EXPECT_EQ(choice.variant, first.variant) << to_string(problem);
          EXPECT_EQ(choice.config, first.config) << to_string(problem);
          EXPECT_TRUE(can_run(*choice.variant, choice.config, problem, device));
        }
      }
    }
  }
  // The test would see what depends on m.
  DeviceInfo device = device_of(1024, 49152);
  device.type = DeviceType::cpu;
  EXPECT_NE(default_choice(problem_of(1, 8), device, Mode::deterministic).config,
            default_choice(problem_of(512, 8), device, Mode::deterministic).config);
}

TEST(DefaultChoice, IsSplitOnACpuUnderMesasCompiler) {
  DeviceInfo device = device_of(256, 32768);
  device.type = DeviceType::cpu;
  device.platform = "rusticl";
  EXPECT_EQ(default_choice(problem_of(16, 8), device).variant->name, "split");
}

// So that the order of the table decides nothing.
TEST(DefaultChoice, IsOfOneVariantThatFitsBest) {
  DeviceInfo cpu = device_of(256, 32768);
  cpu.type = DeviceType::cpu;
  for (const DeviceInfo& device : {device_of(256, 32768), tensor_cores(), cpu}) {
    for (const int rank : {1, 4, 8, 12, 16, 64, 256, 1024}) {
      for (const std::int64_t m : {1, 16, 128, 1000, 8192}) {
        const Problem problem = problem_of(m, rank);
        std::vector<Fit> fits;
        for (const Variant* variant : variants()) {
          if (variant->supports(problem, device)) fits.push_back(variant->fit(problem, device));
        }
        const Fit best = *std::max_element(fits.begin(), fits.end());
        EXPECT_EQ(std::count(fits.begin(), fits.end(), best), 1) << to_string(problem);
        EXPECT_EQ(std::count(fits.begin(), fits.end(), Fit::last_resort), 1)
            << "every device has one for every problem";
      }
    }
  }
}

TEST(GeneralVariant, IsTheOneForAnyDevice) {
  for (const DeviceInfo& device : {device_of(256, 32768), tensor_cores()}) {
    const Variant* general = general_variant(problem_of(16, 8), device);
    ASSERT_NE(general, nullptr);
    EXPECT_EQ(general->name, "split");
  }
  EXPECT_EQ(general_variant(problem_of(16, 1024), device_of(64, 2048)), nullptr);
}

TEST(FallbackChoices, OfACpuLeadOverSplitToNaive) {
  DeviceInfo device = device_of(256, 32768);
  device.type = DeviceType::cpu;
  const std::vector<Choice> choices = fallback_choices(problem_of(128, 8), device);
  ASSERT_GE(choices.size(), 3U);
  EXPECT_EQ(choices[0].variant->name, "register_tiled");
  EXPECT_EQ(choices[1].variant->name, "split");
  EXPECT_EQ(choices.back().variant->name, "naive");
}

// What runs in place of what cannot be built: each choice asks for a smaller work-group.
void expect_choices_down_to_one_work_item(const Problem& problem) {
  const DeviceInfo device = device_of(256, 32768);
  const std::vector<Choice> choices = fallback_choices(problem, device);
  ASSERT_GE(choices.size(), 2U);
  const Choice first = default_choice(problem, device);
  EXPECT_EQ(choices[0].variant, first.variant);
  EXPECT_EQ(choices[0].config, first.config);
  std::uint64_t last_size = 1U << 20U;
  for (const Choice& choice : choices) {
    ASSERT_NE(choice.variant, nullptr);
    EXPECT_TRUE(can_run(*choice.variant, choice.config, problem, device));
    std::uint64_t size = 0;
    for (const Launch& launch : choice.variant->plan(problem, choice.config, device).launches) {
      size = std::max(size, launch.local[0]);
    }
    EXPECT_LE(size, last_size) << "a later choice asks for more";
    last_size = size;
  }
  EXPECT_EQ(choices.back().variant->name, "naive");
  EXPECT_EQ(last_size, 1U);
}

TEST(FallbackChoices, BeginWithTheDefaultAndEndWithOneWorkItem) {
  for (const int rank : {1, 8, 64, 1024}) {
    for (const int adapters : {0, 8}) {
      Problem problem = problem_of(128, rank);
      problem.adapters = adapters;
      expect_choices_down_to_one_work_item(problem);
    }
  }
}

// PoCL's name of a device has the processor: tiles for registers of 512 bits, 32 of them, do not
// fit those of others.
TEST(DefaultChoice, TilesFitTheRegistersOfTheProcessor) {
  DeviceInfo device;
  device.type = DeviceType::cpu;
  device.platform = "Portable Computing Language";
  device.vendor = "AuthenticAMD";
  device.compute_units = 2;
  device.max_work_group_size = 4096;
  device.max_alloc_bytes = std::int64_t{1} << 30;
  const auto choice_on = [&](const std::string& name, std::int64_t m, int rank) {
    device.name = name;
    return default_choice(problem_of(m, rank), device);
  };
  const auto vectors_of_sums = [](const Choice& choice) {
    int vectors = 1;
    for (std::size_t i = 0; i < choice.variant->space.parameters.size(); ++i) {
      const std::string_view parameter = choice.variant->space.parameters[i].name;
      if (parameter == "ROWS" || parameter == "RANK_VECS")
        vectors *= choice.config[static_cast<int>(i)];
    }
    return vectors;
  };
  for (const std::int64_t m : {8, 16, 512}) {
    for (const int rank : {1, 4, 12, 13, 64, 256}) {
      const Choice narrow = choice_on("pthread-haswell-AMD EPYC", m, rank);
      EXPECT_EQ(narrow.variant->name, "register_tiled");
      EXPECT_LE(vectors_of_sums(narrow), 8) << m << " " << rank;
      const Choice wide = choice_on("pthread-skylake-avx512-AMD EPYC", m, rank);
      EXPECT_EQ(choice_on("cpu-znver4-AMD EPYC", m, rank).config, wide.config);
    }
  }
  EXPECT_EQ(vectors_of_sums(choice_on("pthread-skylake-avx512-AMD EPYC", 512, 64)), 16);
  device.platform = "Another";
  EXPECT_EQ(vectors_of_sums(choice_on("a processor", 512, 64)), 16) << "nothing is known of it";
}

}  // namespace
}  // namespace loratune
