// Weights through the C interface.
#include <cmath>
#include <limits>
#include <vector>

#include "capi/internal/cl_boundary.h"
#include "capi/internal/problem.h"
#include "loratune/adapters/element.h"

using namespace loratune::capi;  // NOLINT(google-build-using-namespace): the functions' insides

namespace {

using loratune::Dtype;
using loratune::Problem;

std::unique_ptr<loratune_weights> weights_of(const loratune_engine* engine, const Problem& shape,
                                             const void* a, const void* b) {
  auto handle = std::make_unique<loratune_weights>();
  handle->parts = object(engine, "engine").parts;
  handle->shape = shape;
  handle->weights =
      std::make_unique<loratune::Weights>(handle->parts->engine->context(), shape, a, b);
  return handle;
}

// The factors of several sources as those of one: A stacked, B side by side.
struct Joined {
  Problem shape;
  std::vector<std::byte> a, b;
};

Joined joined(const std::vector<loratune_weights_source>& sources) {
  Joined all;
  std::vector<Problem> shapes;
  for (const loratune_weights_source& source : sources) {
    const Problem shape = shape_of(source);
    if (!std::isfinite(source.factor)) {
      throw Refused(LORATUNE_INVALID_VALUE, "factor is no finite number");
    }
    if (shapes.empty()) all.shape = shape;
    Problem same = shape;
    same.rank = all.shape.rank;
    if (!shapes.empty()) {
      same.rank = all.shape.rank;
      if (same != all.shape) {
        throw Refused(LORATUNE_INVALID_VALUE, "sources differ in k, n or dtype");
      }
      all.shape.rank += shape.rank;
    }
    shapes.push_back(shape);
  }
  const std::string why = invalid_reason(all.shape);
  if (!why.empty()) throw Refused(LORATUNE_INVALID_VALUE, "the sum of the ranks: " + why);
  const loratune::Element element = element_of(all.shape.dtype);
  std::vector<float> b(static_cast<std::size_t>(all.shape.n * all.shape.rank));
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto* a = static_cast<const std::byte*>(sources[i].a);
    all.a.insert(all.a.end(), a, a + sources[i].a_bytes);
    const std::vector<float> part =
        to_floats(element, {static_cast<const std::byte*>(sources[i].b), sources[i].b_bytes});
    for (std::int64_t row = 0; row < all.shape.n; ++row) {
      for (std::int64_t r = 0; r < shapes[i].rank; ++r) {
        b[static_cast<std::size_t>(row * all.shape.rank + begin + r)] =
            sources[i].factor * part[static_cast<std::size_t>(row * shapes[i].rank + r)];
      }
    }
    begin += shapes[i].rank;
  }
  all.b = from_floats(element, b);
  return all;
}

}  // namespace

extern "C" {

std::int32_t loratune_weights_create(loratune_engine* engine, const loratune_weights_source* source,
                                     loratune_weights** weights, loratune_text* detail) {
  return cl_guarded(detail, [&] {
    *required(weights, "weights") = nullptr;
    object(engine, "engine");
    const loratune_weights_source given = taken(source, "source");
    *weights = weights_of(engine, shape_of(given), given.a, given.b).release();
    return LORATUNE_SUCCESS;
  });
}

std::int32_t loratune_weights_concat(loratune_engine* engine,
                                     const loratune_weights_source* const* sources,
                                     std::size_t count, loratune_weights** weights,
                                     loratune_text* detail) {
  return cl_guarded(detail, [&] {
    *required(weights, "weights") = nullptr;
    object(engine, "engine");
    required(sources, "sources");
    // Each has a rank of at least 1, so more cannot be.
    if (count == 0 || count > static_cast<std::size_t>(loratune::kMaxRank)) {
      throw Refused(LORATUNE_INVALID_VALUE, "count = " + std::to_string(count) + " is outside 1.." +
                                                std::to_string(loratune::kMaxRank));
    }
    std::vector<loratune_weights_source> given;
    for (std::size_t i = 0; i < count; ++i) given.push_back(taken(sources[i], "sources"));
    const Joined all = joined(given);
    *weights = weights_of(engine, all.shape, all.a.data(), all.b.data()).release();
    return LORATUNE_SUCCESS;
  });
}

std::int32_t loratune_weights_update(loratune_weights* weights, cl_command_queue queue,
                                     const loratune_weights_source* source, loratune_text* detail) {
  return cl_guarded(detail, [&] {
    loratune_weights& to = object(weights, "weights");
    check_queue(*to.parts->engine, queue, QueueOrder::any);
    const loratune_weights_source given = taken(source, "source");
    const Problem shape = shape_of(given);
    if (to.modules || shape != to.shape) {
      throw Refused(LORATUNE_INVALID_OPERANDS,
                    "the source has another shape or dtype than the weights");
    }
    to.weights->update(queue, given.a, given.b);
    return LORATUNE_SUCCESS;
  });
}

void loratune_weights_destroy(loratune_weights* weights) { destroy(weights); }

}  // extern "C"
