// A runtime with a context, a queue and buffers of its own runs the q, k and v projections of a
// layer for a batch whose rows have different adapters: activations in f32, weights in f16, another
// number of rows in each step. Each step is compared with the same in double.
//
//     example_any_runtime [TUNED_FILE]
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <loratune/dispatch/dispatcher.h>
#include <loratune/engine/engine.h>
#include <loratune/engine/forward.h>
#include <loratune/engine/pool.h>
#include <loratune/engine/route.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr int kIn = 256, kModules = 3, kMostRows = 16, kSlots = 10;
constexpr int kColumns[kModules] = {192, 64, 64};  // of q, k and v, side by side in y
constexpr int kOut = 192 + 64 + 64;

void check(cl_int code, const char* call) {
  if (code == CL_SUCCESS) return;
  std::fprintf(stderr, "%s: %s\n", call, loratune::error_name(code).c_str());
  std::exit(1);
}

// The bits of a half, of a float that is zero or a normal half.
std::uint16_t half_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits << 1) == 0) return static_cast<std::uint16_t>(bits >> 16);
  return static_cast<std::uint16_t>((bits >> 16 & 0x8000U) |
                                    (((bits >> 13) - (112U << 10)) & 0x7fffU));
}

// The factors of one module of an adapter: A[rank,k] and B[n,rank].
struct Module {
  int rank = 0;
  float scale = 0;
  std::vector<float> a, b;
};
using Adapter = std::vector<Module>;

// Eighths from -1 to 1, which halves hold.
std::vector<float> values(std::size_t count, std::mt19937& random) {
  std::vector<float> made(count);
  for (float& value : made) value = (static_cast<float>(random() % 17) - 8) / 8;
  return made;
}

Adapter make_adapter(int rank, std::mt19937& random) {
  Adapter adapter;
  for (const int n : kColumns) {
    const auto r = static_cast<std::size_t>(rank);
    adapter.push_back({rank, 2.0F / static_cast<float>(rank), values(r * kIn, random),
                       values(static_cast<std::size_t>(n) * r, random)});
  }
  return adapter;
}

// Factors as the pool's problem stores them.
void set_slot(loratune::Pool& pool, cl_command_queue queue, int slot, const Adapter& adapter) {
  const bool halves = loratune::weights_dtype(pool.shape()) == loratune::Dtype::f16;
  std::vector<std::vector<std::uint16_t>> stored;
  const auto store = [&](const std::vector<float>& values) -> const void* {
    if (!halves) return values.data();
    stored.emplace_back();
    for (const float value : values) stored.back().push_back(half_bits(value));
    return stored.back().data();
  };
  std::vector<loratune::Factors> factors;
  for (const Module& module : adapter) {
    loratune::Factors one;
    one.a = store(module.a);
    one.b = store(module.b);
    one.rank = module.rank;
    one.scale = module.scale;
    factors.push_back(one);
  }
  pool.set(queue, slot, factors);
}

// y += scale * (x A^T) B^T of each row that has an adapter, in double.
void add_in_double(const std::vector<float>& x, const std::vector<std::int32_t>& slots,
                   const std::vector<Adapter>& adapters, std::vector<double>& y) {
  for (std::size_t row = 0; row < slots.size(); ++row) {
    if (slots[row] < 0) continue;
    std::size_t out = row * kOut;
    for (int part = 0; part < kModules; ++part) {
      const Adapter& adapter = adapters[static_cast<std::size_t>(slots[row])];
      if (adapter.empty()) {
        out += static_cast<std::size_t>(kColumns[part]);
        continue;
      }
      const Module& module = adapter[static_cast<std::size_t>(part)];
      const auto rank = static_cast<std::size_t>(module.rank);
      std::vector<double> h(rank);
      for (std::size_t j = 0; j < rank; ++j) {
        for (std::size_t i = 0; i < kIn; ++i) {
          h[j] +=
              static_cast<double>(x[row * kIn + i]) * static_cast<double>(module.a[j * kIn + i]);
        }
      }
      for (std::size_t column = 0; column < static_cast<std::size_t>(kColumns[part]); ++column) {
        double sum = 0;
        for (std::size_t j = 0; j < rank; ++j) {
          sum += h[j] * static_cast<double>(module.b[column * rank + j]);
        }
        y[out++] += static_cast<double>(module.scale) * sum;
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> complaints;
  const auto devices = loratune::list_devices(complaints);
  if (devices.empty()) return 77;
  cl_device_id device = devices.front().handle;

  // What a runtime has before it has us.
  cl_int code = CL_SUCCESS;
  cl_context context = clCreateContext(nullptr, 1, &device, nullptr, nullptr, &code);
  check(code, "clCreateContext");
  cl_command_queue queue = clCreateCommandQueue(context, device, 0, &code);
  check(code, "clCreateCommandQueue");
  cl_mem x_buffer = clCreateBuffer(context, CL_MEM_READ_WRITE, kMostRows * kIn * 4, nullptr, &code);
  check(code, "clCreateBuffer");
  cl_mem y_buffer =
      clCreateBuffer(context, CL_MEM_READ_WRITE, kMostRows * kOut * 4, nullptr, &code);
  check(code, "clCreateBuffer");

  int wrong = 0;
  {
    loratune::Engine engine(context, device);
    loratune::Dispatcher dispatcher(engine.info());
    if (argc == 2) {
      auto tuned = loratune::Dispatcher::load(argv[1], engine.info());
      if (!tuned.dispatcher) return std::fprintf(stderr, "%s\n", tuned.error.c_str()), 2;
      dispatcher = std::move(*tuned.dispatcher);
    }
    std::string why;
    const auto shape = loratune::parse_problem("m16_k256_n192+64+64_r16_f32_w_f16_acc", why);
    if (!shape) return std::fprintf(stderr, "%s\n", why.c_str()), 1;

    // Eight adapters of ranks 2 to 16 in a pool of ten slots, of which two are empty.
    std::mt19937 random(1);
    loratune::Pool pool(context, *shape, kSlots);
    std::vector<Adapter> adapters(kSlots);
    for (int slot = 1; slot <= 8; ++slot) {
      adapters[static_cast<std::size_t>(slot)] = make_adapter(2 * slot, random);
      set_slot(pool, queue, slot, adapters[static_cast<std::size_t>(slot)]);
    }
    loratune::Route route(context, kMostRows, kSlots);
    loratune::Forward forward(engine, dispatcher, *shape);
    why = forward.prepare(queue, pool, kMostRows, 8);
    if (!why.empty()) return std::fprintf(stderr, "%s\n", why.c_str()), 1;

    int step = 0;
    for (const int rows : {16, 5, 1, 12, 16}) {
      std::vector<std::int32_t> slots(static_cast<std::size_t>(rows));
      for (int row = 0; row < rows; ++row) {
        const int turn = (row * 3 + step) % 10;  // 9 is no slot, and slot 0 is empty
        slots[static_cast<std::size_t>(row)] = turn == 9 ? -1 : turn;
      }
      if (step == 3) {
        adapters[4] = make_adapter(8, random);
        set_slot(pool, queue, 4, adapters[4]);
      }
      if (step == 4) {
        adapters[7].clear();
        pool.clear(queue, 7);
      }
      const std::vector<float> x = values(slots.size() * kIn, random);
      std::vector<float> y = values(slots.size() * kOut, random);
      std::vector<double> want(y.begin(), y.end());
      add_in_double(x, slots, adapters, want);
      const auto write = [&](cl_mem to, const std::vector<float>& from) {
        check(clEnqueueWriteBuffer(queue, to, CL_TRUE, 0, from.size() * 4, from.data(), 0, nullptr,
                                   nullptr),
              "clEnqueueWriteBuffer");
      };
      write(x_buffer, x);
      write(y_buffer, y);
      why = route.assign(queue, slots);  // once a step; all layers would use it
      loratune::Operands call;
      call.x = x_buffer;
      call.y = y_buffer;
      call.m = rows;
      if (why.empty()) why = forward.enqueue(queue, pool, route, call);
      if (!why.empty()) return std::fprintf(stderr, "%s\n", why.c_str()), 1;
      check(clEnqueueReadBuffer(queue, y_buffer, CL_TRUE, 0, y.size() * 4, y.data(), 0, nullptr,
                                nullptr),
            "clEnqueueReadBuffer");
      double worst = 0;
      for (std::size_t i = 0; i < y.size(); ++i) {
        worst = std::max(worst, std::fabs(static_cast<double>(y[i]) - want[i]));
      }
      std::printf("step %d: %d rows, %d adapters, largest error %.2g\n", step, rows, route.active(),
                  worst);
      wrong += worst < 1e-3 ? 0 : 1;
      ++step;
    }
  }
  clReleaseMemObject(y_buffer);
  clReleaseMemObject(x_buffer);
  clReleaseCommandQueue(queue);
  clReleaseContext(context);
  return wrong == 0 ? 0 : 1;
}
