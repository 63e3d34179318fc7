/* loratune's engine in C: LoRA products with OpenCL, on the caller's context, queue and buffers. The
 * rules of <loratune/loratune.h> for structs, statuses, texts, ownership and threads hold here too.
 *
 * OpenCL's handles are declared as every version of CL/cl.h declares them, and CL/cl.h is not
 * included: what it declares depends on macros that are the caller's to choose. It may be included
 * before this header, behind it, or not at all.
 */
#ifndef LORATUNE_CL_H
#define LORATUNE_CL_H

#include <loratune/loratune.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _cl_device_id* cl_device_id;
typedef struct _cl_context* cl_context;
typedef struct _cl_command_queue* cl_command_queue;
typedef struct _cl_mem* cl_mem;
typedef struct _cl_event* cl_event;

/* What a dispatcher has to know of the device, as JSON text for loratune_dispatcher_options. */
int32_t loratune_device_json(cl_device_id device, loratune_text* json, loratune_text* detail);

/* ---- engine: builds the kernels for one device of one context ---- */

typedef struct loratune_engine loratune_engine;

/* `dispatcher` NULL: the built-in defaults. The engine keeps a share in the dispatcher and retains
 * the context. `cache_folder` NULL: programs are not kept on the disk. A folder is made for the
 * owner alone where it is not there; one that others may write to is refused. */
typedef struct loratune_engine_options {
  uint32_t size;
  int32_t caller_scratch; /* 1: every call brings scratch, and no op allocates any */
  cl_context context;
  cl_device_id device; /* one of the context's */
  const loratune_dispatcher* dispatcher;
  const char* cache_folder;
  uint64_t cache_bytes; /* what the folder may hold; 0: 64 MiB */
} loratune_engine_options;

/* Programs are compiled once for an engine, whichever of its ops ask, and at the same time too. */
int32_t loratune_engine_create(const loratune_engine_options* options, loratune_engine** engine,
                               loratune_text* detail);
void loratune_engine_destroy(loratune_engine* engine);

/* Fills cache_folder and cache_bytes from LORATUNE_CACHE_DIR and LORATUNE_CACHE_BYTES, where these
 * are set and not empty. The folder's name is written to `folder`, which `options` then points into.
 * The only function that reads the environment. No other thread changes the environment meanwhile. */
int32_t loratune_engine_options_from_env(loratune_engine_options* options, loratune_text* folder,
                                         loratune_text* detail);

/* ---- weights: A and B of one adapter of one module ---- */

typedef struct loratune_weights loratune_weights;

/* Copies A and B; each layout that a kernel wants is made when it first asks, by blocking writes. */
int32_t loratune_weights_create(loratune_engine* engine, const loratune_weights_source* source,
                                loratune_weights** weights, loratune_text* detail);

/* Several adapters of one module that act on the same rows, as one of the sum of their ranks (1024
 * at most): A stacked, B side by side and multiplied by `factor`, rounded to the dtype. Equal k, n
 * and dtype. */
int32_t loratune_weights_concat(loratune_engine* engine,
                                const loratune_weights_source* const* sources, size_t count,
                                loratune_weights** weights, loratune_text* detail);

/* Other values in the same shape and dtype, as after a step of training. Every run that is enqueued
 * later uses them. `queue` is where the writes go; they are done when the call returns. The caller
 * sees to it that no run that uses the weights is under way on another queue. */
int32_t loratune_weights_update(loratune_weights* weights, cl_command_queue queue,
                                const loratune_weights_source* source, loratune_text* detail);
void loratune_weights_destroy(loratune_weights* weights);

/* ---- op: one product, run for any number of rows ---- */

typedef struct loratune_op loratune_op;

/* `problem.m` is a hint: the kernel for so many rows is built now, and others when a call first has
 * another m; 0: none yet. Where the picked kernel cannot be built the file's next choice, the
 * built-in default and its fallbacks are tried in turn; LORATUNE_BUILD_FAILED where none can. */
int32_t loratune_op_create(loratune_engine* engine, const loratune_problem* problem,
                           loratune_op** op, loratune_text* detail);
void loratune_op_destroy(loratune_op* op);

/* Builds the kernels for these numbers of rows. One thread at a time for each op. */
int32_t loratune_op_warmup(loratune_op* op, const int64_t* m, size_t count, loratune_text* detail);

/* Bytes of the caller's scratch that a call of m rows takes; 0 where the engine was made without
 * caller_scratch, or none is needed. Builds the kernel for m rows where there is none yet. */
int32_t loratune_op_scratch_bytes(loratune_op* op, int64_t m, uint64_t* bytes,
                                  loratune_text* detail);

/* Offsets and pitches are in elements; a pitch of 0 is that of dense rows. x and y may be parts of
 * one buffer that do not overlap. */
typedef struct loratune_call {
  uint32_t size;
  float scale;
  int64_t m;
  const loratune_weights* weights;
  cl_command_queue queue; /* in-order, of the engine's context and device */
  cl_mem x;
  cl_mem y;
  int64_t off_x, ld_x;
  int64_t off_y, ld_y;
  cl_mem scratch;          /* with caller_scratch: at least loratune_op_scratch_bytes() of it */
  int64_t scratch_offset;  /* bytes, a multiple of 4096 */
  const cl_event* waits;   /* the run waits for these; NULL with wait_count 0 */
  uint32_t wait_count;
  uint32_t reserved;
  cl_event* done;          /* NULL, or where the event of the run's end is put; the caller's */
  loratune_text* detail;   /* NULL, or where the reason is put in words */
} loratune_call;

/* Enqueues the product and returns; nothing is enqueued where the status is not LORATUNE_SUCCESS,
 * but for a failure of the driver in between. LORATUNE_INVALID_OPERANDS where x, y, weights or
 * scratch are too small for m, offset and pitch, so that no memory outside them is touched. In the
 * steady state (an m that was seen before) it allocates nothing and takes no lock that a build holds;
 * scratch of the caller's that is several buffers, or at an offset, is parted in each call.
 * One thread at a time for each op, else LORATUNE_BUSY; runs of one op follow one another on one
 * queue at a time. m = 0 enqueues nothing but the event. */
int32_t loratune_forward(loratune_op* op, const loratune_call* call);

#ifdef __cplusplus
}
#endif

#endif
