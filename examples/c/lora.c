/* From a device to y: a tuned file, the engine, an adapter's weights, one product, and the same
 * computed in plain C.
 *
 *     cc -std=c11 lora.c $(pkg-config --cflags --libs loratune-cl) -o lora && ./lora [TUNED_FILE]
 */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <loratune/loratune_cl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 3, K = 256, N = 192, RANK = 8 };

static char words[1024];
static loratune_text detail = {words, sizeof words, 0};

static void check(int32_t status, const char* what) {
  if (status == LORATUNE_SUCCESS) return;
  fprintf(stderr, "%s: %s %s\n", what, loratune_status_name(status), words);
  exit(1);
}

static void fill(float* values, size_t count, uint32_t seed) {
  for (size_t i = 0; i < count; ++i) {
    seed = seed * 1664525u + 1013904223u;
    values[i] = (float)(seed >> 20) / 2048.0f - 1.0f;
  }
}

static cl_device_id first_device(void) {
  cl_platform_id platforms[16];
  cl_uint count = 0;
  cl_device_id device = NULL;
  if (clGetPlatformIDs(16, platforms, &count) != CL_SUCCESS) return NULL;
  for (cl_uint i = 0; i < count && i < 16; ++i) {
    if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &device, NULL) == CL_SUCCESS) break;
  }
  return device;
}

int main(int argc, char** argv) {
  static float x[ROWS * K], a[RANK * K], b[N * RANK], y[ROWS * N], got[ROWS * N];
  cl_device_id device = first_device();
  if (device == NULL) return 77;

  /* The caller's world: a context, a queue, buffers. */
  cl_int code = CL_SUCCESS;
  cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
  check(code, "clCreateContext");
  cl_command_queue queue = clCreateCommandQueue(context, device, 0, &code);
  check(code, "clCreateCommandQueue");
  fill(x, ROWS * K, 1);
  fill(a, RANK * K, 2);
  fill(b, N * RANK, 3);
  fill(y, ROWS * N, 4);
  const cl_mem_flags copied = CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR;
  cl_mem x_buffer = clCreateBuffer(context, copied, sizeof x, x, &code);
  check(code, "clCreateBuffer");
  cl_mem y_buffer = clCreateBuffer(context, copied, sizeof y, y, &code);
  check(code, "clCreateBuffer");

  /* What a tuned file says for this device; without a file the built-in defaults. */
  static char json[1 << 16];
  loratune_text text = {json, sizeof json, 0};
  check(loratune_device_json(device, &text, &detail), "device");
  loratune_dispatcher* dispatcher = NULL;
  loratune_dispatcher_options from = {.size = sizeof from, .device = json};
  if (argc > 1) from.path = argv[1];
  check(loratune_dispatcher_create(&from, &dispatcher, &detail), "dispatcher");

  loratune_engine* engine = NULL;
  loratune_engine_options on = {
      .size = sizeof on, .context = context, .device = device, .dispatcher = dispatcher};
  check(loratune_engine_create(&on, &engine, &detail), "engine");

  loratune_weights* weights = NULL;
  loratune_weights_source source = {.size = sizeof source,
                                    .dtype = LORATUNE_DTYPE_F32,
                                    .k = K,
                                    .n = N,
                                    .rank = RANK,
                                    .a = a,
                                    .a_bytes = sizeof a,
                                    .b = b,
                                    .b_bytes = sizeof b};
  check(loratune_weights_create(engine, &source, &weights, &detail), "weights");

  loratune_op* op = NULL;
  loratune_problem problem = {.size = sizeof problem, .m = ROWS, .k = K, .n = N, .rank = RANK};
  check(loratune_op_create(engine, &problem, &op, &detail), "op");

  cl_event done = NULL;
  loratune_call call = {.size = sizeof call,
                        .scale = 0.5f,
                        .m = ROWS,
                        .weights = weights,
                        .queue = queue,
                        .x = x_buffer,
                        .y = y_buffer,
                        .done = &done,
                        .detail = &detail};
  check(loratune_forward(op, &call), "forward");
  check(clEnqueueReadBuffer(queue, y_buffer, CL_TRUE, 0, sizeof got, got, 1, &done, NULL), "read");
  clReleaseEvent(done);

  double worst = 0;
  for (int i = 0; i < ROWS; ++i) {
    for (int j = 0; j < N; ++j) {
      double sum = 0;
      for (int r = 0; r < RANK; ++r) {
        double h = 0;
        for (int l = 0; l < K; ++l) h += (double)x[i * K + l] * a[r * K + l];
        sum += h * b[j * RANK + r];
      }
      const double wanted = y[i * N + j] + 0.5 * sum;
      const double error = fabs(got[i * N + j] - wanted) / (1 + fabs(wanted));
      if (error > worst) worst = error;
    }
  }
  loratune_op_destroy(op);
  loratune_weights_destroy(weights);
  loratune_engine_destroy(engine);
  loratune_dispatcher_destroy(dispatcher);
  clReleaseMemObject(x_buffer);
  clReleaseMemObject(y_buffer);
  clReleaseCommandQueue(queue);
  clReleaseContext(context);
  printf("largest error %.1e\n", worst);
  return worst < 1e-5 ? 0 : 1;
}
