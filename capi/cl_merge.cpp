// Adapters merged into weights, through the C interface.
#include <cmath>
#include <span>
#include <stdexcept>

#include "capi/internal/cl_boundary.h"
#include "capi/internal/problem.h"
#include "loratune/adapters/element.h"

using namespace loratune::capi;  // NOLINT(google-build-using-namespace): the functions' insides

namespace {

loratune::WeightMatrix matrix_of(const loratune_matrix* matrix, const char* name) {
  const loratune_matrix given = taken(matrix, name);
  required(given.buffer, name);
  const loratune::Dtype dtype = dtype_of(given.dtype, loratune::Dtype::f32, name);
  return {given.buffer, dtype, given.out, given.in, given.off, given.ld};
}

loratune::LoraLinear layer_of(const loratune_weights_source& source) {
  const loratune::Problem shape = shape_of(source);
  if (!std::isfinite(source.factor)) {
    throw Refused(LORATUNE_INVALID_VALUE, "factor is no finite number");
  }
  const auto floats = [element = element_of(shape.dtype)](const void* data, std::size_t bytes) {
    return to_floats(element, {static_cast<const std::byte*>(data), bytes});
  };
  loratune::LoraLinear layer;
  layer.in = shape.k;
  layer.out = shape.n;
  layer.rank = shape.rank;
  layer.scale = static_cast<double>(source.factor);
  layer.a = floats(source.a, source.a_bytes);
  layer.b = floats(source.b, source.b_bytes);
  return layer;
}

// Runs what throws as loratune/layers/merge.h says.
template <class Body>
void refused_as_operands(Body body) {
  try {
    body();
  } catch (const loratune::OpenclError&) {
    throw;
  } catch (const std::invalid_argument& error) {
    throw Refused(LORATUNE_INVALID_OPERANDS, error.what());
  } catch (const std::runtime_error& error) {
    throw Refused(LORATUNE_BUILD_FAILED, error.what());
  }
}

}  // namespace

extern "C" {

std::int32_t loratune_merge(loratune_engine* engine, cl_command_queue queue,
                            const loratune_weights_source* source, const loratune_matrix* w,
                            loratune_text* detail) {
  return cl_guarded(detail, [&] {
    EngineParts& parts = *object(engine, "engine").parts;
    check_queue(*parts.engine, queue);
    const loratune::LoraLinear layer = layer_of(taken(source, "source"));
    const loratune::WeightMatrix matrix = matrix_of(w, "w");
    const std::lock_guard<std::mutex> lock(parts.merging);
    if (!parts.merge) {
      parts.merge = std::make_unique<loratune::Merge>(*parts.engine, *parts.dispatcher);
    }
    refused_as_operands([&] { parts.merge->merge(queue, layer, matrix); });
    return LORATUNE_SUCCESS;
  });
}

std::int32_t loratune_matrix_copy(cl_command_queue queue, const loratune_matrix* from,
                                  const loratune_matrix* to, loratune_text* detail) {
  return cl_guarded(detail, [&] {
    required(queue, "queue");
    const loratune::WeightMatrix source = matrix_of(from, "from");
    const loratune::WeightMatrix target = matrix_of(to, "to");
    refused_as_operands([&] { copy_weights(queue, source, target); });
    return LORATUNE_SUCCESS;
  });
}

}  // extern "C"
