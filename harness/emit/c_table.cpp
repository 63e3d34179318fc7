#include "harness/emit/c_table.h"

#include <algorithm>
#include <stdexcept>

#include "dispatch/internal/printable.h"
#include "loratune/variants/packing.h"

namespace loratune {
namespace {

// In the order of enum Role.
constexpr const char* kRoles[] = {
    "LORA_X",     "LORA_A",     "LORA_B",      "LORA_Y",     "LORA_SCALE", "LORA_M",
    "LORA_K",     "LORA_N",     "LORA_RANK",   "LORA_LD_X",  "LORA_LD_A",  "LORA_LD_B",
    "LORA_LD_Y",  "LORA_OFF_X", "LORA_OFF_A",  "LORA_OFF_B", "LORA_OFF_Y", "LORA_SCRATCH",
    "LORA_LOCAL", "LORA_INT",   "LORA_WEIGHTS"};
constexpr const char* kLayouts[] = {"LORA_ROW_MAJOR", "LORA_TRANSPOSED", "LORA_PANEL",
                                    "LORA_BLOCKED"};
constexpr const char* kZeros[] = {"LORA_ZERO_NEVER", "LORA_ZERO_ONCE", "LORA_ZERO_EACH_RUN"};
constexpr const char* kDtypes[] = {"LORA_F32", "LORA_F16", "LORA_BF16"};

constexpr const char* kHeader = R"C(
#ifndef LORA_PLANS_H
#define LORA_PLANS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y[m,n] (+)= scale * (x[m,k] A[rank,k]^T) B[n,rank]^T. A plan is what one such product runs. */

enum lora_dtype { LORA_F32, LORA_F16, LORA_BF16 };

/* What a kernel's argument is:
     X, A, B, Y, SCRATCH  a buffer; of SCRATCH the plan's scratch[value]
     WEIGHTS              the buffer in which B stands behind A, from element off_b on
     SCALE                float
     M, K, N, RANK, INT   int; of INT it is `value`
     LD_*, OFF_*          long, in elements: row pitches of x and y, and where they begin; LD_A, LD_B
                          and OFF_B are the plan's ld_a, ld_b and off_b, OFF_A is 0
     LOCAL                `value` bytes of local memory */
enum lora_role {
  LORA_X, LORA_A, LORA_B, LORA_Y, LORA_SCALE, LORA_M, LORA_K, LORA_N, LORA_RANK, LORA_LD_X, LORA_LD_A,
  LORA_LD_B, LORA_LD_Y, LORA_OFF_X, LORA_OFF_A, LORA_OFF_B, LORA_OFF_Y, LORA_SCRATCH, LORA_LOCAL,
  LORA_INT, LORA_WEIGHTS
};
struct lora_arg { enum lora_role role; int64_t value; };

/* With `one_struct` the numbers among the arguments are one argument: a struct of them in their
   order, each aligned to its size, which stands where the first of them does. */
struct lora_launch {
  const char *kernel;
  int dims;
  size_t global[3], local[3];
  int one_struct, args;
  const struct lora_arg *arg;
};

/* When a buffer is filled with zeros: once before the first run, or before each. */
enum lora_zero { LORA_ZERO_NEVER, LORA_ZERO_ONCE, LORA_ZERO_EACH_RUN };
struct lora_scratch { uint64_t bytes; enum lora_zero zero; };

/* Where element (i, j) of a matrix of `rows` x `cols` stands; what pads it is zero:
     ROW_MAJOR   i * ld + j
     TRANSPOSED  j * ld + i
     PANEL       ((i / tile) * cols + j) * tile + i % tile
     BLOCKED     (((i / tile) * (ld / 16) + j / 16) * tile + i % tile) * 16 + j % 16
   A is rank x k, B is n x rank. `dtype` is that of the packed elements. */
enum lora_layout { LORA_ROW_MAJOR, LORA_TRANSPOSED, LORA_PANEL, LORA_BLOCKED };
struct lora_packing { enum lora_layout layout; int tile; enum lora_dtype dtype; int64_t elements, ld; };

struct lora_plan {
  const char *key;                     /* the problem */
  int64_t m, k, n;
  int rank, accumulate;
  enum lora_dtype dtype, weights;      /* of x and y; of A and B before they are packed */
  const char *file, *options;          /* OpenCL C beside this file; what clBuildProgram is given */
  struct lora_packing a, b;
  int64_t off_b;                       /* of LORA_WEIGHTS */
  int align;                           /* bytes that x, y, pitches and offsets are multiples of; 0: an element */
  int needs_residency;                 /* not at the same time as another such plan on the device */
  int scratches;
  const struct lora_scratch *scratch;
  int launches;                        /* in order, on an in-order queue */
  const struct lora_launch *launch;
};

extern const struct lora_plan lora_plans[];
extern const int lora_plan_count;

/* The plan of a problem's key, or a null pointer. */
const struct lora_plan *lora_find_plan(const char *key);

#ifdef __cplusplus
}
#endif
#endif
)C";

constexpr const char* kFind = R"C(
const struct lora_plan *lora_find_plan(const char *key) {
  int i;
  for (i = 0; i < lora_plan_count; ++i) {
    if (strcmp(lora_plans[i].key, key) == 0) return &lora_plans[i];
  }
  return NULL;
}
)C";

template <class T, std::size_t kCount>
const char* word(const char* const (&words)[kCount], T value) {
  const auto at = static_cast<std::size_t>(value);
  if (at >= kCount) throw std::invalid_argument("a plan has what C tables have no word for");
  return words[at];
}

std::string text(std::int64_t value) { return std::to_string(value); }

std::string quoted(const std::string& words) { return "\"" + words + "\""; }

std::string triple(const std::array<std::uint64_t, 3>& sizes) {
  return "{" + std::to_string(sizes[0]) + ", " + std::to_string(sizes[1]) + ", " +
         std::to_string(sizes[2]) + "}";
}

std::string packing_words(const Packing& packing, Dtype dtype, std::int64_t rows,
                          std::int64_t cols) {
  return std::string("{") + word(kLayouts, packing.layout) + ", " + text(packing.tile) + ", " +
         word(kDtypes, packed_dtype(packing, dtype)) + ", " +
         text(packed_size(packing, rows, cols)) + ", " + text(packed_ld(packing, rows, cols)) + "}";
}

// The arrays that plan number `i` points to.
std::string arrays_of(std::size_t i, const LaunchPlan& plan) {
  const std::string number = std::to_string(i);
  std::string out;
  for (std::size_t l = 0; l < plan.launches.size(); ++l) {
    out += "static const struct lora_arg args_" + number + "_" + std::to_string(l) + "[] = {";
    std::string between;
    for (const Arg& arg : plan.launches[l].args) {
      out += between + "{" + word(kRoles, arg.role) + ", " + text(arg.value) + "}";
      between = ", ";
    }
    out += "};\n";
  }
  if (!plan.launches.empty()) {
    out += "static const struct lora_launch launches_" + number + "[] = {\n";
    for (std::size_t l = 0; l < plan.launches.size(); ++l) {
      const Launch& launch = plan.launches[l];
      out += "  {" + quoted(launch.kernel) + ", " + text(launch.dims) + ", " +
             triple(launch.global) + ", " + triple(launch.local) + ", " +
             (launch.one_struct ? "1" : "0") + ", " + std::to_string(launch.args.size()) +
             ", args_" + number + "_" + std::to_string(l) + "},\n";
    }
    out += "};\n";
  }
  if (!plan.scratch.empty()) {
    out += "static const struct lora_scratch scratch_" + number + "[] = {";
    std::string between;
    for (const Scratch& scratch : plan.scratch) {
      out +=
          between + "{" + std::to_string(scratch.bytes) + ", " + word(kZeros, scratch.zero) + "}";
      between = ", ";
    }
    out += "};\n";
  }
  return out;
}

std::string row_of(std::size_t i, const EmittedPlan& emitted) {
  const Problem& p = emitted.problem;
  const LaunchPlan& plan = emitted.plan;
  const std::string number = std::to_string(i);
  const Dtype weights = weights_dtype(p);
  return "  {" + quoted(to_string(p)) + ",\n   " + text(p.m) + ", " + text(p.k) + ", " + text(p.n) +
         ", " + text(p.rank) + ", " + (p.accumulate ? "1" : "0") + ", " + word(kDtypes, p.dtype) +
         ", " + word(kDtypes, weights) + ",\n   " + quoted(emitted.variant + ".cl") + ", " +
         quoted(build_options(plan)) + ",\n   " + packing_words(plan.a, weights, p.rank, p.k) +
         ", " + packing_words(plan.b, weights, p.n, p.rank) + ",\n   " +
         text(joins_weights(plan) ? joined_off_b(plan.a, p) : 0) + ", " + text(plan.align) + ", " +
         (plan.needs_residency ? "1" : "0") + ", " + std::to_string(plan.scratch.size()) + ", " +
         (plan.scratch.empty() ? "NULL" : "scratch_" + number) + ", " +
         std::to_string(plan.launches.size()) + ", " +
         (plan.launches.empty() ? "NULL" : "launches_" + number) + "},\n";
}

}  // namespace

std::map<std::string, std::string> emitted_files(const std::vector<EmittedPlan>& plans,
                                                 const std::string& made_by) {
  std::map<std::string, std::string> files;
  std::string arrays;
  std::string rows;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    arrays += arrays_of(i, plans[i].plan);
    rows += row_of(i, plans[i]);
    files[plans[i].variant + ".cl"] = plans[i].plan.source;
  }
  std::string comment = made_by;  // which must not end it
  std::replace(comment.begin(), comment.end(), '*', '_');
  comment = std::string(kEmittedMark) + " " + comment + " */\n";
  files["lora_plans.h"] = comment + kHeader;
  files["lora_plans.c"] = comment + "#include \"lora_plans.h\"\n\n#include <string.h>\n\n" +
                          arrays + "\nconst struct lora_plan lora_plans[] = {\n" + rows +
                          "};\nconst int lora_plan_count = " + std::to_string(plans.size()) +
                          ";\n" + kFind;
  return files;
}

}  // namespace loratune
