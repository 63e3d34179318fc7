#include "loratune/dispatch/dispatcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "c_api.h"
#include "loratune/dispatch/device_text.h"
#include "loratune/dispatch/plan_text.h"
#include "loratune/variants/packing.h"
#include "unit/fictional.h"

namespace loratune {
namespace {

// The fictional file with the sources that this build has.
std::string usable_file() {
  TunedFile file = fictional::file();
  const Variant& naive = *find_variant("naive");
  file.kernels["naive"] = {std::string(naive.source_sha256), naive.revision};
  return serialize(file);
}

std::string device() { return device_text(fictional::device()); }

TEST(CApi, AnswersAsTheDispatcherDoes) {
  const DispatcherHandle dispatcher = dispatcher_of(device(), usable_file());
  ASSERT_NE(dispatcher, nullptr);
  const Dispatcher expected(*parse_tuned_file(usable_file()).file, fictional::device());
  for (const std::int64_t m : {1, 2, 3, 20, 200}) {
    const loratune_problem problem = small_problem(m);
    auto choice = zeroed<loratune_choice>();
    ASSERT_EQ(loratune_pick(dispatcher.get(), &problem, &choice), LORATUNE_SUCCESS);
    const Choice wanted = expected.pick(fictional::problem(m));
    EXPECT_EQ(choice.variant, wanted.variant->name);
    EXPECT_EQ(choice.device_match, static_cast<int>(wanted.device_match));
    EXPECT_EQ(choice.shape_match, static_cast<int>(wanted.shape_match));
    ASSERT_EQ(choice.parameter_count, wanted.config.size());
    for (int i = 0; i < wanted.config.size(); ++i) {
      EXPECT_EQ(choice.parameters[i], wanted.config[i]);
    }
    EXPECT_EQ(whole_text([&](loratune_text* text) {
                return loratune_explain(dispatcher.get(), &problem, text, nullptr);
              }),
              expected.explain(fictional::problem(m)));
  }
}

TEST(CApi, AMissIsListedByItsKey) {
  const DispatcherHandle dispatcher = dispatcher_of(device(), usable_file());
  const loratune_problem problem = small_problem(7);
  auto choice = zeroed<loratune_choice>();
  ASSERT_EQ(loratune_pick(dispatcher.get(), &problem, &choice), LORATUNE_SUCCESS);
  EXPECT_EQ(choice.shape_match, LORATUNE_SHAPE_FALLBACK);
  EXPECT_EQ(
      whole_text([&](loratune_text* text) { return loratune_misses(dispatcher.get(), text); }),
      "fwd_m7_k1024_n1024_r8_f16_acc\n");
}

TEST(CApi, APlanHoldsAllThatARunTakes) {
  const DispatcherHandle dispatcher = dispatcher_of(device(), usable_file());
  const loratune_problem problem = small_problem();
  const std::string text = whole_text([&](loratune_text* json) {
    return loratune_plan(dispatcher.get(), &problem, json, nullptr);
  });
  const auto plan = nlohmann::json::parse(text);
  const Variant& naive = *find_variant("naive");
  const LaunchPlan wanted = naive.plan(
      fictional::problem(), *parse_config(naive.space, "WG_N=8 WG_M=1 UNROLL=1 A_TRANSPOSED=0"),
      fictional::device());
  EXPECT_EQ(plan["variant"], "naive");
  EXPECT_EQ(plan["source"], wanted.source);
  EXPECT_EQ(plan["options"], build_options(wanted));
  ASSERT_EQ(plan["launches"].size(), wanted.launches.size());
  const auto& launch = plan["launches"][0];
  EXPECT_EQ(launch["kernel"], wanted.launches[0].kernel);
  ASSERT_EQ(launch["args"].size(), wanted.launches[0].args.size());
  for (std::size_t i = 0; i < launch["args"].size(); ++i) {
    EXPECT_EQ(launch["args"][i]["role"], to_string(wanted.launches[0].args[i].role));
  }
}

// How many elements the packed A and B take, by the plan's text.
std::pair<std::int64_t, std::int64_t> elements_of(const Variant& variant, const Problem& problem) {
  Choice choice;
  choice.variant = &variant;
  choice.config = variant.default_config(problem, fictional::device());
  const auto packing =
      nlohmann::json::parse(plan_text(problem, Mode::fast, choice, fictional::device()))["packing"];
  return {packing["a"]["elements"], packing["b"]["elements"]};
}

// The slices' A one behind the other, and their B; with DoRA the factors of the columns behind B.
TEST(CApi, APlanSaysWhatTheWeightsOfGroupsAndOfDoraTake) {
  const auto parsed = [](const char* key) {
    std::string why;
    return parse_problem(key, why).value();
  };
  const Problem group = parsed("fwd_m33_k37_n32+16+16_r3_f32_acc");
  const Problem dora = parsed("fwd_m33_k37_n32_r3_f32_acc_dora");
  int asked = 0;
  for (const char* name : {"naive", "split", "tiled"}) {
    const Variant& variant = *find_variant(name);
    for (const Problem& problem : {group, dora}) {
      if (!variant.supports(problem, fictional::device())) continue;
      ++asked;
      SCOPED_TRACE(name + (" " + to_string(problem)));
      const LaunchPlan plan = variant.plan(
          problem, variant.default_config(problem, fictional::device()), fictional::device());
      std::int64_t a = 0;
      std::int64_t b = 0;
      for (int i = 0; i < slice_count(problem); ++i) {
        const std::int64_t columns = slice_columns(problem, i);
        a = packed_a_before(plan.a, problem, i) + packed_size(plan.a, problem.rank, problem.k);
        b = packed_b_before(plan.b, problem, i) + packed_size(plan.b, columns, problem.rank);
        if (problem.dora) b = std::max(b, gains_before(plan.b, problem, i) + columns);
      }
      const auto [said_a, said_b] = elements_of(variant, problem);
      EXPECT_GE(said_a, a);
      EXPECT_GE(said_b, b);
    }
  }
  EXPECT_GT(asked, 2);
}

TEST(CApi, ADeviceComesBackFromItsText) {
  const ParsedDevice parsed = parse_device(device());
  ASSERT_TRUE(parsed.device) << parsed.error;
  EXPECT_EQ(*parsed.device, fictional::device());
  DeviceInfo native = fictional::device();
  native.native_kernels = true;  // without it no dispatcher picks the variant `native`
  EXPECT_EQ(*parse_device(device_text(native)).device, native);
  EXPECT_EQ(parse_device("{}").error, "at \"\": lacks the member name");
  EXPECT_NE(parse_device(device() + "x").error, "");
  auto text = nlohmann::json::parse(device());
  text["compute_units"] = 0;
  EXPECT_NE(parse_device(text.dump()).error.find("/compute_units"), std::string::npos);
}

TEST(CApi, AProblemComesBackFromItsKey) {
  auto problem = zeroed<loratune_problem>();
  for (const std::string key :
       {"fwd_m16_k4096_n4096+1024+1024_r16_bf16_acc", "fwd_m1_k64_n64_r4_f32_w_f16_acc_dora_a8",
        "fwd_m1_k1024_n512_r8_f16_acc", "fwd_m0_k1_n1_r1024_f32_set_align64"}) {
    ASSERT_EQ(loratune_problem_parse(key.c_str(), &problem, nullptr), LORATUNE_SUCCESS);
    EXPECT_EQ(whole_text([&](loratune_text* text) {
                return loratune_problem_key(&problem, text, nullptr);
              }),
              key);
  }
  problem.align = 4;  // an element of f32: the same problem as without an alignment
  EXPECT_EQ(whole_text(
                [&](loratune_text* text) { return loratune_problem_key(&problem, text, nullptr); }),
            "fwd_m0_k1_n1_r1024_f32_set");
  Text detail;
  EXPECT_EQ(loratune_problem_parse("\x1b[31m", &problem, detail.out()), LORATUNE_INVALID_VALUE);
  EXPECT_EQ(detail.str().find('\x1b'), std::string::npos);
}

TEST(CApi, EveryStatusHasAName) {
  EXPECT_STREQ(loratune_status_name(-5), "CL_OUT_OF_RESOURCES");
  for (std::int32_t status = LORATUNE_INTERNAL; status <= LORATUNE_NULL_POINTER; ++status) {
    EXPECT_EQ(std::string(loratune_status_name(status)).rfind("LORATUNE_", 0), 0U) << status;
  }
  for (std::int32_t status = -1; status >= -72; --status) {
    if (status < -19 && status > -30) continue;  // OpenCL has none
    EXPECT_EQ(std::string(loratune_status_name(status)).rfind("CL_", 0), 0U) << status;
  }
  EXPECT_STREQ(loratune_status_name(7), "unknown");
}

TEST(CApi, ATextThatDoesNotFitIsCutAndItsLengthTold) {
  auto problem = small_problem();
  const std::string key = "fwd_m1_k1024_n1024_r8_f16_acc";
  for (const std::size_t capacity : {std::size_t{1}, std::size_t{5}, key.size()}) {
    Text text(capacity);
    EXPECT_EQ(loratune_problem_key(&problem, text.out(), nullptr), LORATUNE_TEXT_TOO_LONG);
    EXPECT_EQ(text.str(), key.substr(0, capacity - 1));
    EXPECT_EQ(text.length(), key.size());
  }
  loratune_text nothing{nullptr, 100, 0};
  EXPECT_EQ(loratune_problem_key(&problem, &nothing, nullptr), LORATUNE_TEXT_TOO_LONG);
  Text exact(key.size() + 1);
  EXPECT_EQ(loratune_problem_key(&problem, exact.out(), nullptr), LORATUNE_SUCCESS);
}

TEST(CApi, AFileThatIsRefusedSaysWhere) {
  std::string detail;
  EXPECT_EQ(dispatcher_of(device(), "{\"schema\": 3}", &detail), nullptr);
  EXPECT_NE(detail, "");
  auto options = zeroed<loratune_dispatcher_options>();
  const std::string text = device();
  options.device = text.c_str();
  options.path = "/nowhere/tuned.json";
  loratune_dispatcher* made = nullptr;
  Text why;
  EXPECT_EQ(loratune_dispatcher_create(&options, &made, why.out()), LORATUNE_INVALID_FILE);
  EXPECT_EQ(why.str(), "/nowhere/tuned.json: No such file or directory");
  options.bytes = "{}";
  EXPECT_EQ(loratune_dispatcher_create(&options, &made, why.out()), LORATUNE_INVALID_VALUE);
}

}  // namespace
}  // namespace loratune
