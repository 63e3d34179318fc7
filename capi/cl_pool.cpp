// Groups of modules, pools and routes through the C interface.
#include <cmath>
#include <span>
#include <string>
#include <utility>

#include "capi/internal/cl_boundary.h"
#include "capi/internal/problem.h"

namespace loratune::capi {
namespace {

void check_bytes(const void* data, std::size_t bytes, std::int64_t takes, const std::string& name) {
  if (data == nullptr && bytes == 0 && takes == 0) return;
  required(data, name.c_str());
  if (bytes != static_cast<std::uint64_t>(takes)) {
    throw Refused(LORATUNE_INVALID_OPERANDS, name + " has " + std::to_string(bytes) +
                                                 " bytes, it takes " + std::to_string(takes));
  }
}

}  // namespace

std::vector<Factors> factors_of(const Problem& shape, const loratune_module_source* const* modules,
                                std::size_t count) {
  required(modules, "modules");
  if (count != static_cast<std::size_t>(slice_count(shape))) {
    throw Refused(LORATUNE_INVALID_VALUE, "count = " + std::to_string(count) +
                                              ", the problem has " +
                                              std::to_string(slice_count(shape)) + " modules");
  }
  std::vector<Factors> factors;
  for (std::size_t i = 0; i < count; ++i) {
    const loratune_module_source given = taken(modules[i], "modules");
    const std::string name = "module " + std::to_string(i) + ": ";
    if (given.rank < 0 || given.rank > shape.rank) {
      throw Refused(LORATUNE_INVALID_VALUE, name + "rank = " + std::to_string(given.rank) +
                                                " is outside 0.." + std::to_string(shape.rank));
    }
    if (!std::isfinite(given.scale)) {
      throw Refused(LORATUNE_INVALID_VALUE, name + "scale is no finite number");
    }
    const std::int64_t bytes = element_bytes(weights_dtype(shape));
    const std::int64_t columns = slice_columns(shape, static_cast<int>(i));
    check_bytes(given.a, given.a_bytes, given.rank * shape.k * bytes, name + "a");
    check_bytes(given.b, given.b_bytes, columns * given.rank * bytes, name + "b");
    if ((given.g != nullptr) != shape.dora ||
        given.g_count != (shape.dora ? static_cast<std::uint64_t>(columns) : 0)) {
      throw Refused(LORATUNE_INVALID_OPERANDS,
                    name + "g has not as many factors as the problem's dora takes");
    }
    factors.push_back({given.a, given.b, given.rank, given.scale, given.g});
  }
  return factors;
}

}  // namespace loratune::capi

using namespace loratune::capi;  // NOLINT(google-build-using-namespace): the functions' insides

extern "C" {

std::int32_t loratune_weights_of_modules(loratune_engine* engine, const loratune_problem* shape,
                                         const loratune_module_source* const* modules,
                                         std::size_t count, loratune_weights** weights,
                                         loratune_text* detail) {
  return cl_guarded(detail, [&] {
    *required(weights, "weights") = nullptr;
    auto handle = std::make_unique<loratune_weights>();
    handle->parts = object(engine, "engine").parts;
    handle->shape = asked(shape).problem;
    handle->modules = true;
    const std::vector<loratune::Factors> factors = factors_of(handle->shape, modules, count);
    handle->weights = std::make_unique<loratune::Weights>(handle->parts->engine->context(),
                                                          handle->shape, std::span(factors));
    *weights = handle.release();
    return LORATUNE_SUCCESS;
  });
}

std::int32_t loratune_weights_update_modules(loratune_weights* weights, cl_command_queue queue,
                                             const loratune_module_source* const* modules,
                                             std::size_t count, loratune_text* detail) {
  return cl_guarded(detail, [&] {
    loratune_weights& to = object(weights, "weights");
    check_queue(*to.parts->engine, queue, QueueOrder::any);
    if (!to.modules) throw Refused(LORATUNE_INVALID_VALUE, "the weights were made of one source");
    const std::vector<loratune::Factors> factors = factors_of(to.shape, modules, count);
    to.weights->update(queue, std::span(factors));
    return LORATUNE_SUCCESS;
  });
}

std::int32_t loratune_pool_create(loratune_engine* engine, const loratune_problem* shape,
                                  std::int32_t slots, loratune_pool** pool, loratune_text* detail) {
  return cl_guarded(detail, [&] {
    *required(pool, "pool") = nullptr;
    auto handle = std::make_unique<loratune_pool>();
    handle->parts = object(engine, "engine").parts;
    handle->pool = std::make_unique<loratune::Pool>(handle->parts->engine->context(),
                                                    asked(shape).problem, slots);
    *pool = handle.release();
    return LORATUNE_SUCCESS;
  });
}

void loratune_pool_destroy(loratune_pool* pool) { destroy(pool); }

std::int32_t loratune_pool_set(loratune_pool* pool, cl_command_queue queue, std::int32_t slot,
                               const loratune_module_source* const* modules, std::size_t count,
                               loratune_text* detail) {
  return cl_guarded(detail, [&] {
    const loratune_pool& handle = object(pool, "pool");
    check_queue(*handle.parts->engine, queue);
    loratune::Pool& to = *handle.pool;
    const std::vector<loratune::Factors> factors = factors_of(to.shape(), modules, count);
    to.set(queue, slot, std::span(factors));
    return LORATUNE_SUCCESS;
  });
}

std::int32_t loratune_pool_clear(loratune_pool* pool, cl_command_queue queue, std::int32_t slot,
                                 loratune_text* detail) {
  return cl_guarded(detail, [&] {
    const loratune_pool& of = object(pool, "pool");
    of.pool->clear(check_queue(*of.parts->engine, queue), slot);
    return LORATUNE_SUCCESS;
  });
}

std::int32_t loratune_route_create(loratune_engine* engine, std::int64_t most_rows,
                                   std::int32_t slots, loratune_route** route,
                                   loratune_text* detail) {
  return cl_guarded(detail, [&] {
    *required(route, "route") = nullptr;
    auto handle = std::make_unique<loratune_route>();
    handle->parts = object(engine, "engine").parts;
    handle->route =
        std::make_unique<loratune::Route>(handle->parts->engine->context(), most_rows, slots);
    *route = handle.release();
    return LORATUNE_SUCCESS;
  });
}

void loratune_route_destroy(loratune_route* route) { destroy(route); }

std::int32_t loratune_route_assign(loratune_route* route, cl_command_queue queue,
                                   const std::int32_t* slot, std::size_t rows,
                                   loratune_text* detail) {
  return cl_guarded(detail, [&] {
    const loratune_route& of = object(route, "route");
    check_queue(*of.parts->engine, queue);
    if (rows > 0) required(slot, "slot");
    const std::string why = of.route->assign(queue, {slot, rows});
    if (!why.empty()) throw Refused(LORATUNE_INVALID_VALUE, why);
    return LORATUNE_SUCCESS;
  });
}

}  // extern "C"
