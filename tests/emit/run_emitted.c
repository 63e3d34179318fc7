/* Runs every plan that `lora-bench --emit` wrote, on the first device of a platform whose name holds
   argv[2], knowing lora_plans.h and nothing else of the project; and compares with plain arithmetic.

     run_emitted FOLDER PLATFORM

   Operands are small whole numbers, of which every sum is exact in every type. */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lora_plans.h"

static void require(cl_int code, const char *what) {
  if (code == CL_SUCCESS) return;
  fprintf(stderr, "%s: %d\n", what, code);
  exit(1);
}

static void *allocate(size_t bytes) {
  void *memory = calloc(bytes > 0 ? bytes : 1, 1);
  if (memory == NULL) require(CL_OUT_OF_HOST_MEMORY, "calloc");
  return memory;
}

static size_t bytes_of(enum lora_dtype dtype) { return dtype == LORA_F32 ? 4 : 2; }

/* Whole numbers below 2^11 are exact in every type but bf16, where those below 2^8 are. */
static void store(enum lora_dtype dtype, void *at, int64_t i, float value) {
  uint32_t bits;
  uint16_t half;
  memcpy(&bits, &value, 4);
  if (dtype == LORA_F32) {
    memcpy((char *)at + 4 * i, &value, 4);
    return;
  }
  if (dtype == LORA_BF16) {
    half = (uint16_t)(bits >> 16);
  } else {
    half = (uint16_t)(bits >> 16 & 0x8000);
    if (value != 0) half = (uint16_t)(half | (((bits >> 23 & 0xFF) - 112) << 10) | (bits >> 13 & 0x3FF));
  }
  memcpy((char *)at + 2 * i, &half, 2);
}

static float load(enum lora_dtype dtype, const void *at, int64_t i) {
  uint32_t bits;
  uint16_t half;
  float value;
  if (dtype == LORA_F32) {
    memcpy(&value, (const char *)at + 4 * i, 4);
    return value;
  }
  memcpy(&half, (const char *)at + 2 * i, 2);
  if (dtype == LORA_BF16) {
    bits = (uint32_t)half << 16;
  } else {
    bits = (uint32_t)(half & 0x8000) << 16;
    if ((half & 0x7FFF) != 0) bits |= ((uint32_t)(half >> 10 & 0x1F) + 112) << 23 | (uint32_t)(half & 0x3FF) << 13;
  }
  memcpy(&value, &bits, 4);
  return value;
}

static int64_t place(const struct lora_packing *p, int64_t cols, int64_t i, int64_t j) {
  switch (p->layout) {
    case LORA_ROW_MAJOR:
      return i * p->ld + j;
    case LORA_TRANSPOSED:
      return j * p->ld + i;
    case LORA_PANEL:
      return (i / p->tile * cols + j) * p->tile + i % p->tile;
    case LORA_BLOCKED:
      break;
  }
  return (((i / p->tile) * (p->ld / 16) + j / 16) * p->tile + i % p->tile) * 16 + j % 16;
}

static void pack(const struct lora_packing *p, int64_t rows, int64_t cols, const float *dense, char *out) {
  int64_t i, j;
  for (i = 0; i < rows; ++i) {
    for (j = 0; j < cols; ++j) store(p->dtype, out, place(p, cols, i, j), dense[i * cols + j]);
  }
}

/* Mostly zeros, so that sums stay small; the last element of a row always counts. */
static float *numbers(int64_t rows, int64_t cols, unsigned *seed) {
  float *values = allocate((size_t)(rows * cols) * sizeof(float));
  int64_t i;
  for (i = 0; i < rows * cols; ++i) {
    *seed = *seed * 1664525U + 1013904223U;
    if (i % cols == cols - 1 || *seed >> 28 == 0) values[i] = *seed >> 27 & 1 ? 1.0F : -1.0F;
  }
  return values;
}

static char *read_source(const char *folder, const char *file) {
  char path[4096];
  FILE *in;
  char *text;
  long size;
  snprintf(path, sizeof path, "%s/%s", folder, file);
  in = fopen(path, "rb");
  if (in == NULL || fseek(in, 0, SEEK_END) != 0 || (size = ftell(in)) < 0) require(CL_INVALID_VALUE, path);
  rewind(in);
  text = allocate((size_t)size + 1);
  if (fread(text, 1, (size_t)size, in) != (size_t)size) require(CL_INVALID_VALUE, path);
  fclose(in);
  return text;
}

struct operands {
  cl_mem x, a, b, y, weights, scratch[8];
  float scale;
};

static void set_arguments(cl_kernel kernel, const struct lora_plan *plan, const struct lora_launch *launch,
                          const struct operands *of) {
  unsigned char fields[512];
  size_t size = 0, align = 1;
  cl_uint next = 0, struct_at = 0;
  int i;
  for (i = 0; i < launch->args; ++i) {
    const struct lora_arg *arg = &launch->arg[i];
    const cl_mem *buffer = NULL;
    cl_long wide = 0;
    cl_int narrow = 0;
    const void *value = &wide;
    size_t bytes = 8;
    switch (arg->role) {
      case LORA_X: buffer = &of->x; break;
      case LORA_A: buffer = &of->a; break;
      case LORA_B: buffer = &of->b; break;
      case LORA_Y: buffer = &of->y; break;
      case LORA_WEIGHTS: buffer = &of->weights; break;
      case LORA_SCRATCH: buffer = &of->scratch[arg->value]; break;
      case LORA_LOCAL:
        require(clSetKernelArg(kernel, next++, (size_t)arg->value, NULL), "clSetKernelArg");
        continue;
      case LORA_SCALE: value = &of->scale; bytes = 4; break;
      case LORA_M: narrow = (cl_int)plan->m; break;
      case LORA_K: narrow = (cl_int)plan->k; break;
      case LORA_N: narrow = (cl_int)plan->n; break;
      case LORA_RANK: narrow = plan->rank; break;
      case LORA_INT: narrow = (cl_int)arg->value; break;
      case LORA_LD_X: wide = plan->k; break;
      case LORA_LD_Y: wide = plan->n; break;
      case LORA_LD_A: wide = plan->a.ld; break;
      case LORA_LD_B: wide = plan->b.ld; break;
      case LORA_OFF_B: wide = plan->off_b; break;
      case LORA_OFF_X: case LORA_OFF_A: case LORA_OFF_Y: break;
    }
    if (buffer != NULL) {
      require(clSetKernelArg(kernel, next++, sizeof(cl_mem), buffer), "clSetKernelArg");
      continue;
    }
    if (arg->role == LORA_M || arg->role == LORA_K || arg->role == LORA_N || arg->role == LORA_RANK ||
        arg->role == LORA_INT) {
      value = &narrow;
      bytes = 4;
    }
    if (!launch->one_struct) {
      require(clSetKernelArg(kernel, next++, bytes, value), "clSetKernelArg");
      continue;
    }
    if (size == 0) struct_at = next++;
    size = (size + bytes - 1) / bytes * bytes;
    if (bytes > align) align = bytes;
    memcpy(fields + size, value, bytes);
    size += bytes;
  }
  if (size > 0) {
    require(clSetKernelArg(kernel, struct_at, (size + align - 1) / align * align, fields), "clSetKernelArg");
  }
}

/* The number of elements that are wrong. */
static int run_plan(const struct lora_plan *plan, const char *folder, cl_context context, cl_device_id device) {
  const float scale = 2;
  const size_t bytes = bytes_of(plan->dtype);
  const size_t x_bytes = (size_t)(plan->m * plan->k) * bytes, y_bytes = (size_t)(plan->m * plan->n) * bytes;
  const size_t a_bytes = (size_t)plan->a.elements * bytes_of(plan->a.dtype);
  const size_t b_bytes = (size_t)plan->b.elements * bytes_of(plan->b.dtype);
  const size_t b_begin = (size_t)plan->off_b * bytes_of(plan->b.dtype);
  unsigned seed = 1;
  float *x = numbers(plan->m, plan->k, &seed), *a = numbers(plan->rank, plan->k, &seed);
  float *b = numbers(plan->n, plan->rank, &seed), *y = numbers(plan->m, plan->n, &seed);
  char *x_stored = allocate(x_bytes), *y_stored = allocate(y_bytes);
  char *a_packed = allocate(a_bytes), *b_packed = allocate(b_bytes), *joined = allocate(b_begin + b_bytes + a_bytes);
  char *source = read_source(folder, plan->file);
  struct operands of;
  cl_int code;
  cl_program program;
  cl_command_queue queue;
  int64_t i, j, r, c;
  int s, l, run, wrong = 0;
  for (i = 0; i < plan->m * plan->k; ++i) store(plan->dtype, x_stored, i, x[i]);
  for (i = 0; i < plan->m * plan->n; ++i) store(plan->dtype, y_stored, i, y[i]);
  pack(&plan->a, plan->rank, plan->k, a, a_packed);
  pack(&plan->b, plan->n, plan->rank, b, b_packed);
  memcpy(joined, a_packed, a_bytes);
  memcpy(joined + b_begin, b_packed, b_begin > 0 ? b_bytes : 0);

#define BUFFER(size, from) clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, size, from, &code)
  memset(&of, 0, sizeof of);
  of.scale = scale;
  of.x = BUFFER(x_bytes, x_stored);
  require(code, "clCreateBuffer");
  of.a = BUFFER(a_bytes, a_packed);
  of.b = BUFFER(b_bytes, b_packed);
  of.weights = BUFFER(b_begin + b_bytes, joined);
  require(code, "clCreateBuffer");
  queue = clCreateCommandQueue(context, device, 0, &code);
  require(code, "clCreateCommandQueue");
  program = clCreateProgramWithSource(context, 1, (const char **)&source, NULL, &code);
  require(code, "clCreateProgramWithSource");
  require(clBuildProgram(program, 1, &device, plan->options, NULL, NULL), plan->key);
  for (s = 0; s < plan->scratches; ++s) {
    char *zeros = allocate(plan->scratch[s].bytes);
    of.scratch[s] = BUFFER(plan->scratch[s].bytes, zeros);
    require(code, "clCreateBuffer");
    free(zeros);
  }
  for (run = 0; run < 2; ++run) { /* twice: what a run leaves in scratch is what the next one finds */
    char *got = allocate(y_bytes);
    of.y = BUFFER(y_bytes, y_stored);
    require(code, "clCreateBuffer");
    for (s = 0; s < plan->scratches; ++s) {
      const cl_uchar zero = 0;
      if (plan->scratch[s].zero != LORA_ZERO_EACH_RUN) continue;
      require(clEnqueueFillBuffer(queue, of.scratch[s], &zero, 1, 0, plan->scratch[s].bytes, 0, NULL, NULL),
              "clEnqueueFillBuffer");
    }
    for (l = 0; l < plan->launches; ++l) {
      const struct lora_launch *launch = &plan->launch[l];
      cl_kernel kernel = clCreateKernel(program, launch->kernel, &code);
      require(code, launch->kernel);
      set_arguments(kernel, plan, launch, &of);
      require(clEnqueueNDRangeKernel(queue, kernel, (cl_uint)launch->dims, NULL, launch->global, launch->local, 0,
                                     NULL, NULL),
              "clEnqueueNDRangeKernel");
      clReleaseKernel(kernel);
    }
    require(clEnqueueReadBuffer(queue, of.y, CL_TRUE, 0, y_bytes, got, 0, NULL, NULL), "clEnqueueReadBuffer");
    for (i = 0; i < plan->m; ++i) {
      float *h = allocate((size_t)plan->rank * sizeof(float));
      for (r = 0; r < plan->rank; ++r) {
        for (c = 0; c < plan->k; ++c) h[r] += x[i * plan->k + c] * a[r * plan->k + c];
      }
      for (j = 0; j < plan->n; ++j) {
        float sum = 0, want;
        char rounded[4];
        for (r = 0; r < plan->rank; ++r) sum += h[r] * b[j * plan->rank + r];
        want = (plan->accumulate ? y[i * plan->n + j] : 0) + scale * sum;
        memset(rounded, 0, sizeof rounded);
        store(plan->dtype, rounded, 0, want);
        if (load(plan->dtype, got, i * plan->n + j) != load(plan->dtype, rounded, 0) && wrong++ == 0) {
          fprintf(stderr, "%s: y[%ld,%ld] is %g, not %g\n", plan->key, (long)i, (long)j,
                  load(plan->dtype, got, i * plan->n + j), want);
        }
      }
      free(h);
    }
    clReleaseMemObject(of.y);
    free(got);
  }
  for (s = 0; s < plan->scratches; ++s) clReleaseMemObject(of.scratch[s]);
  clReleaseMemObject(of.x);
  clReleaseMemObject(of.a);
  clReleaseMemObject(of.b);
  clReleaseMemObject(of.weights);
  clReleaseProgram(program);
  clReleaseCommandQueue(queue);
  free(x); free(a); free(b); free(y); free(x_stored); free(y_stored);
  free(a_packed); free(b_packed); free(joined); free(source);
  return wrong;
}

static cl_device_id find_device(const char *name) {
  cl_platform_id platforms[16];
  cl_uint count = 0, i;
  if (clGetPlatformIDs(16, platforms, &count) != CL_SUCCESS) return NULL;
  for (i = 0; i < count && i < 16; ++i) {
    char found[256] = "";
    cl_device_id device;
    clGetPlatformInfo(platforms[i], CL_PLATFORM_NAME, sizeof found, found, NULL);
    if (strstr(found, name) != NULL &&
        clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &device, NULL) == CL_SUCCESS) {
      return device;
    }
  }
  return NULL;
}

int main(int argc, char **argv) {
  cl_device_id device;
  cl_context context;
  cl_int code;
  int i, wrong = 0;
  if (argc != 3) return 2;
  device = find_device(argv[2]);
  if (device == NULL) {
    fprintf(stderr, "no device of platform %s\n", argv[2]);
    return 77;
  }
  context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
  require(code, "clCreateContext");
  for (i = 0; i < lora_plan_count; ++i) {
    if (lora_find_plan(lora_plans[i].key) != &lora_plans[i]) ++wrong;
    wrong += run_plan(&lora_plans[i], argv[1], context, device);
  }
  clReleaseContext(context);
  if (lora_find_plan("none") != NULL || lora_plan_count == 0) ++wrong;
  printf("%d plans, %d wrong\n", lora_plan_count, wrong);
  return wrong == 0 ? 0 : 1;
}
