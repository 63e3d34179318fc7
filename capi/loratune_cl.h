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

/* `dispatcher` NULL: the built-in defaults. LORATUNE_INVALID_VALUE where it was told of another kind of
 * device than `device`; of the same kind are other drivers, and up to twice or half the compute units.
 * The engine keeps a share in the dispatcher and retains
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
 * later uses them. `queue`, of the engine's context and device, is where the writes go; they are done
 * when the call returns. The caller sees to it that no run that uses the weights is under way on another
 * queue. Where a write fails, some of the weights are the old ones until an update succeeds. */
int32_t loratune_weights_update(loratune_weights* weights, cl_command_queue queue,
                                const loratune_weights_source* source, loratune_text* detail);
void loratune_weights_destroy(loratune_weights* weights);

/* One module of a group of modules that share x, or one with DoRA: A[rank,k] and B[columns,rank] in
 * the dtype of the problem's weights, dense, row by row. */
typedef struct loratune_module_source {
  uint32_t size;
  int32_t rank;   /* up to the problem's: what is missing is filled up with zeros */
  const void* a;
  size_t a_bytes; /* at `a`; exactly what A takes */
  const void* b;
  size_t b_bytes;
  const float* g; /* DoRA's factors of the columns; NULL: the problem has none */
  size_t g_count;
  float scale;    /* the call's scale times this one; left 0 it is 0 */
  int32_t reserved;
} loratune_module_source;

/* Weights of all slices of a problem, in their order, or of its one module. `shape.m` does not count.
 * Each module has a rank of at least 1; only a pool takes modules of rank 0.
 * loratune_weights_update() does not take them, this one's counterpart does. */
int32_t loratune_weights_of_modules(loratune_engine* engine, const loratune_problem* shape,
                                    const loratune_module_source* const* modules, size_t count,
                                    loratune_weights** weights, loratune_text* detail);
int32_t loratune_weights_update_modules(loratune_weights* weights, cl_command_queue queue,
                                        const loratune_module_source* const* modules, size_t count,
                                        loratune_text* detail);

/* ---- merge: an adapter added to the weights of a layer, which then needs no product of its own ---- */

/* The weights W[out,in] of a layer in a buffer of the engine's context, in any dtype. Offset and pitch
 * are in elements; a pitch of 0 is that of dense rows. */
typedef struct loratune_matrix {
  uint32_t size;
  int32_t dtype;
  cl_mem buffer;
  int64_t out, in;
  int64_t off, ld;
} loratune_matrix;

/* W += factor * B A on the queue, out being the source's n and in its k; returns when that is done. Sums
 * are in float, and each element of W is rounded once, to the nearest. The queue is in-order, of the
 * engine's context and device. LORATUNE_INVALID_OPERANDS, W being as it was, for other extents, for
 * another queue, for a W that does not fit its buffer, and for a buffer of another context or that kernels
 * may not read and write. What was added cannot be subtracted again to
 * the bit: who wants W back keeps a copy. Threads may merge at a time; merges of one engine follow one
 * another. */
int32_t loratune_merge(loratune_engine* engine, cl_command_queue queue,
                       const loratune_weights_source* source, const loratune_matrix* w,
                       loratune_text* detail);

/* Enqueues a copy of W's elements, row by row, to keep them or to bring them back. Both matrices have
 * the same out, in and dtype, and may stand in one buffer; LORATUNE_INVALID_OPERANDS where they overlap, and
 * for buffers of another context than the queue's. Within one buffer rows of two pitches take a command
 * each. Any thread, at any time. */
int32_t loratune_matrix_copy(cl_command_queue queue, const loratune_matrix* from,
                             const loratune_matrix* to, loratune_text* detail);

/* ---- pool and route: rows of one call that belong to different adapters ---- */

/* `slots` adapters of one module or group, all empty at first: of the problem's k, n or slices and
 * dtypes, its rank being the largest that a slot may have. 1 to 2^24 slots. */
typedef struct loratune_pool loratune_pool;
int32_t loratune_pool_create(loratune_engine* engine, const loratune_problem* shape, int32_t slots,
                             loratune_pool** pool, loratune_text* detail);
void loratune_pool_destroy(loratune_pool* pool);

/* Fills a slot, or gives it other factors, by blocking writes on the queue; calls that are enqueued
 * before on that queue see what was there. The columns of a module of rank 0, its A and B NULL, stay as
 * they are, with `overwrite` too; with DoRA its g multiplies them. Without DoRA at least one module has a
 * rank: who wants none clears the slot. Where a write fails, the slot holds some of the old factors until
 * a call that sets it succeeds. The queue is in-order, of the engine's context and device. Who sets or
 * clears is alone with the pool. */
int32_t loratune_pool_set(loratune_pool* pool, cl_command_queue queue, int32_t slot,
                          const loratune_module_source* const* modules, size_t count,
                          loratune_text* detail);
/* Rows of an empty slot stay as they are, to the bit. */
int32_t loratune_pool_clear(loratune_pool* pool, cl_command_queue queue, int32_t slot,
                            loratune_text* detail);

/* Which rows of a step belong to which slot: made once a step, used by the calls of all modules of all
 * layers. For steps of up to `most_rows` rows over pools of at least `slots` slots. One thread and one
 * in-order queue at a time. 1 to 2^24 rows and slots; a call takes rows of up to 65535 adapters. */
typedef struct loratune_route loratune_route;
int32_t loratune_route_create(loratune_engine* engine, int64_t most_rows, int32_t slots,
                              loratune_route** route, loratune_text* detail);
void loratune_route_destroy(loratune_route* route);

/* `slot[i]` is that of row i, or -1 for a row that stays as it is. LORATUNE_INVALID_VALUE, nothing
 * having changed, for a slot that is none or too many rows. The queue is in-order, of the engine's
 * context and device. The call waits until the assignment before has been written, which is when the
 * queue has come to it; so does loratune_route_destroy(). Where the write fails the route is of no
 * rows until an assignment succeeds. */
int32_t loratune_route_assign(loratune_route* route, cl_command_queue queue, const int32_t* slot,
                              size_t rows, loratune_text* detail);

/* ---- op: one product, run for any number of rows ---- */

typedef struct loratune_op loratune_op;

/* `problem.adapters` is 0: a call's route says how many it has. `problem.m` is a hint: the kernel for
 * so many rows is built now, and others when a call first has another m; 0: none yet. Where the picked
 * kernel cannot be built the file's next choice, the built-in default, its fallbacks and, on a
 * device that runs functions of the process, the product on the host are tried in turn;
 * LORATUNE_BUILD_FAILED where none can. Where there is no memory for a kernel and its scratch, here or in
 * a call, the status is OpenCL's, no other kernel takes its place, and the next call tries again. */
int32_t loratune_op_create(loratune_engine* engine, const loratune_problem* problem,
                           loratune_op** op, loratune_text* detail);
void loratune_op_destroy(loratune_op* op);

/* Builds the kernels for these numbers of rows with weights; those for a pool are built by the first call
 * with one. One thread at a time for each op. */
int32_t loratune_op_warmup(loratune_op* op, const int64_t* m, size_t count, loratune_text* detail);

/* Bytes of the caller's scratch that a call of m rows with weights takes; 0 where the engine was
 * made without caller_scratch, or none is needed. Builds the kernel for m rows where there is none
 * yet. A call with a pool runs another kernel, which may take more: where it is given too little it
 * is refused, and its detail says how many bytes it takes. */
int32_t loratune_op_scratch_bytes(loratune_op* op, int64_t m, uint64_t* bytes,
                                  loratune_text* detail);

/* Offsets and pitches are in elements; a pitch of 0 is that of dense rows. x and y may be parts of
 * one buffer that do not overlap. Rows of x between rows of y count as overlapping where their pitches
 * differ. */
typedef struct loratune_call {
  uint32_t size;
  float scale; /* left 0 it is 0 */
  int64_t m;
  const loratune_weights* weights; /* or NULL, with a pool and a route */
  cl_command_queue queue; /* in-order, of the engine's context and device */
  cl_mem x;
  cl_mem y;
  int64_t off_x, ld_x;
  int64_t off_y, ld_y;
  cl_mem scratch;          /* with caller_scratch: as loratune_op_scratch_bytes() says */
  int64_t scratch_offset;  /* bytes, a multiple of 4096 */
  const cl_event* waits;   /* the run waits for these; NULL with wait_count 0 */
  uint32_t wait_count;
  uint32_t reserved;
  cl_event* done;          /* NULL, or where the event of the run's end is put; the caller's. None of the
                              places of `waits`: it is set to NULL first */
  loratune_text* detail;   /* NULL, or where the reason is put in words */
  const loratune_pool* pool;
  const loratune_route* route; /* assigned m rows */
  /* Of a group: a buffer for each slice, none of them NULL, with its offset and pitch. NULL: y has
   * all columns. */
  const cl_mem* slice_y;
  const int64_t* slice_off_y; /* NULL: zeros */
  const int64_t* slice_ld_y;  /* NULL: dense rows */
} loratune_call;

/* Enqueues the product and returns; nothing is enqueued where the status is not LORATUNE_SUCCESS,
 * but for a failure of the driver in between. LORATUNE_INVALID_OPERANDS where x, y, weights or
 * scratch are too small for m, offset and pitch, so that no memory outside them is touched, or where
 * what is written shares bytes with anything else. Of x, y and scratch it asks the driver for no more than
 * their sizes and what they are parts of: that they are buffers of the engine's context, that kernels may
 * read x, and read and write y and scratch, is the caller's part. LORATUNE_BUILD_FAILED where no kernel
 * can be built for the rows, or for those of a pool.
 *
 * In the steady state it allocates nothing and takes no lock that a build holds. A call builds a kernel
 * where it is the first of its number of rows, with a pool also of its number of adapters that have rows,
 * and where one adapter has all rows, of its rank. Numbers of rows or of adapters that have the same next
 * power of two count as one; but the numbers up to the problem's m have a kernel of their own among these.
 * With batch_invariant the number of adapters is that of the pool's slots. The first call that needs a
 * layout of the weights or of the pool's slots makes it, by blocking writes on the queue. Scratch of the
 * caller's that is several buffers, or at an offset, is parted in each call.
 *
 * A kernel whose work-groups wait for one another must have all of them on the device at once, so the
 * runs of such kernels on a device follow one another. A run on another queue than the last one's waits
 * for all that is on that queue, also for user events; it does so on the host where the queues are of two
 * contexts. The last queue is retained until another one takes its place or its engine and all that was
 * made of it are destroyed.
 *
 * One thread at a time for each op, else LORATUNE_BUSY; runs of one op follow one another on one queue
 * at a time. m = 0 enqueues nothing but the event. */
int32_t loratune_forward(loratune_op* op, const loratune_call* call);

#ifdef __cplusplus
}
#endif

#endif
