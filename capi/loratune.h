/* loratune's C interface without OpenCL: which kernel a tuned file holds for a LoRA product
 *
 *     y = y + scale * (x A^T) B^T        x[m,k]  A[rank,k]  B[n,rank]  y[m,n]   all row by row
 *
 * and the adapters that other tools wrote. <loratune/loratune_cl.h> has the engine, which runs the
 * kernels with OpenCL. C11 and C++; no macro but the include guard has a meaning for callers.
 *
 * Structs.  Each begins with `size`, which the caller sets to sizeof of the struct. A field that a
 * smaller size leaves out is 0, and 0 is the default of every field: also of a scale or a factor, where
 * it multiplies by 0. A size that is 0, that is no multiple of 8, or that is above this library's is
 * refused, so a caller that was built for a newer library gets a status. Set a struct to zeros first:
 * what is called reserved must be 0.
 *
 * Status.  What returns int32_t returns LORATUNE_SUCCESS (0), a code of OpenCL as it came, or a
 * loratune_status. loratune_status_name() names all three. Where a function takes `detail`, the line
 * that says what was wrong is written there; the library keeps no last error.
 *
 * Texts.  A loratune_text is a buffer of the caller's. It is always terminated where `capacity` is
 * above 0; `length` becomes what the whole text takes, without the zero. Where a text is the answer
 * and does not fit, the status is LORATUNE_TEXT_TOO_LONG: call again with length + 1 bytes.
 *
 * Ownership.  What loratune_X_create() or _load() gives is the caller's until loratune_X_destroy(),
 * which takes NULL too. An object that needs another one keeps a share in it, so objects may be
 * destroyed in any order. Nothing else of the caller's is kept after a call: bytes, texts and arrays
 * are copied or read. Pointers that the library gives live as long as the object that they came
 * from; names of variants, statuses and versions live as long as the library. Of OpenCL's objects
 * the engine retains the context (which keeps its devices). Queues, buffers and events are borrowed
 * for the call. An event that is given is the caller's to release.
 *
 * Threads.  Any number of threads may call any functions at a time, with these exceptions: an object
 * is destroyed by one thread when no other uses it, and a struct or text belongs to one call at a
 * time. What differs stands at the function.
 *
 * Trust.  Files and bytes may come from anywhere. They hold no code: no text of theirs reaches a
 * compiler. No exception leaves a function.
 */
#ifndef LORATUNE_H
#define LORATUNE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ours; OpenCL's codes lie above -10000. */
typedef enum loratune_status {
  LORATUNE_SUCCESS = 0,
  LORATUNE_NULL_POINTER = -10000,    /* an argument that must not be NULL */
  LORATUNE_INVALID_STRUCT = -10001,  /* a size that is refused, or a reserved field that is not 0 */
  LORATUNE_INVALID_HANDLE = -10002,  /* no object of this type, or one of another build */
  LORATUNE_INVALID_VALUE = -10003,   /* a field outside its range; `detail` names it */
  LORATUNE_INVALID_FILE = -10004,    /* cannot be read, or is refused */
  LORATUNE_UNSUPPORTED = -10005,     /* well said, but this build cannot do it */
  LORATUNE_NOT_FOUND = -10006,
  LORATUNE_TEXT_TOO_LONG = -10007,   /* the answer does not fit into the caller's text */
  LORATUNE_INVALID_OPERANDS = -10008, /* buffers, offsets or pitches that do not fit the problem */
  LORATUNE_BUILD_FAILED = -10009,    /* no kernel for the problem can be built on the device */
  LORATUNE_BUSY = -10010,            /* another thread is using an object of one thread */
  LORATUNE_OUT_OF_MEMORY = -10011,   /* of the host */
  LORATUNE_INTERNAL = -10012
} loratune_status;

/* `CL_OUT_OF_RESOURCES` for -5, `LORATUNE_INVALID_FILE` for -10004; `unknown` for a code that is
 * neither. Never NULL. */
const char* loratune_status_name(int32_t status);

/* `0.1.0`, and 10000 * major + 100 * minor + patch. */
const char* loratune_version_text(void);
uint32_t loratune_version(void);

typedef struct loratune_text {
  char* data;      /* NULL with a capacity of 0: only the length is asked for */
  size_t capacity; /* bytes at `data` */
  size_t length;   /* written: bytes of the whole text without the zero */
} loratune_text;

typedef enum loratune_dtype {
  LORATUNE_DTYPE_DEFAULT = 0, /* f32; of weights: that of x and y */
  LORATUNE_DTYPE_F32 = 1,
  LORATUNE_DTYPE_F16 = 2,
  LORATUNE_DTYPE_BF16 = 3
} loratune_dtype;

typedef enum loratune_op_kind { LORATUNE_OP_FORWARD = 0 } loratune_op_kind;

/* What is promised of the bits of y. */
typedef enum loratune_mode {
  LORATUNE_MODE_FAST = 0,            /* nothing: whatever is fastest */
  LORATUNE_MODE_DETERMINISTIC = 1,   /* the same bits every run */
  LORATUNE_MODE_BATCH_INVARIANT = 2  /* the bits of a row do not depend on the other rows */
} loratune_mode;

/* One product. A dtype, slices, adapters or dora that this build has no kernel for gives
 * LORATUNE_UNSUPPORTED. */
typedef struct loratune_problem {
  uint32_t size;
  int32_t op;            /* loratune_op_kind */
  int32_t mode;          /* loratune_mode */
  int32_t dtype;         /* loratune_dtype of x and y */
  int32_t weights_dtype; /* loratune_dtype of A and B as they are stored */
  int32_t overwrite;     /* 0: adds to y; 1: y is overwritten */
  int64_t m, k, n;       /* m from 0, k and n from 1, all below 2^31 */
  int32_t rank;          /* 1 to 1024 */
  int32_t align;         /* bytes that pointers, pitches and offsets of x and y are multiples of; a
                            power of two from the element's size to 4096; 0: that size */
  int32_t adapters;      /* 0: one adapter for all rows; a: rows belong to `a` active ones of a pool */
  int32_t dora;          /* 1: y = g * y + scale * (x A^T) (g B)^T */
  int32_t slice_count;   /* 0: one module; 2 to 8 modules that share x */
  int32_t slice_n[8];    /* their columns, whose sum is n */
  int32_t reserved;
} loratune_problem;

/* From a key like `fwd_m1_k1024_n1024_r8_f16_acc`, and back. The mode is not part of a key.
 * LORATUNE_INVALID_STRUCT where the size of `problem` leaves out a field that the key sets. */
int32_t loratune_problem_parse(const char* key, loratune_problem* problem, loratune_text* detail);
int32_t loratune_problem_key(const loratune_problem* problem, loratune_text* key,
                             loratune_text* detail);

/* A[rank,k] and B[n,rank] on the host: dense, row by row. */
typedef struct loratune_weights_source {
  uint32_t size;
  int32_t dtype; /* loratune_dtype of A and B */
  int64_t k, n;
  int32_t rank;
  int32_t reserved;
  const void* a;
  size_t a_bytes; /* at `a`; exactly what A takes */
  const void* b;
  size_t b_bytes;
  float factor; /* loratune_weights_concat(), loratune_merge(): B A times this; left 0 it is 0 */
  int32_t reserved_too;
} loratune_weights_source;

/* ---- dispatcher: what to run on one device, out of one tuned file or none ---- */

typedef struct loratune_dispatcher loratune_dispatcher;

/* `device` is what loratune_device_json() (loratune_cl.h) says of a device: JSON text, which may be
 * kept in a file and used where no OpenCL is. `path` names a tuned file, or `bytes` holds one;
 * neither: every pick is the built-in default. Both: LORATUNE_INVALID_VALUE. */
typedef struct loratune_dispatcher_options {
  uint32_t size;
  uint32_t reserved;
  const char* device;
  const char* path;
  const void* bytes;
  size_t byte_count;
} loratune_dispatcher_options;

/* LORATUNE_INVALID_FILE, with a JSON pointer to the fault in `detail`, for a file that is refused:
 * above 64 MiB, of another schema, or with anything out of its bounds. */
int32_t loratune_dispatcher_create(const loratune_dispatcher_options* options,
                                   loratune_dispatcher** dispatcher, loratune_text* detail);
void loratune_dispatcher_destroy(loratune_dispatcher* dispatcher);

/* How the file's device compares with the one at hand, and what of the file answered. */
typedef enum loratune_device_match {
  LORATUNE_DEVICE_EXACT = 0,
  LORATUNE_DEVICE_OTHER_DRIVER = 1,
  LORATUNE_DEVICE_SIMILAR = 2,
  LORATUNE_DEVICE_NONE = 3
} loratune_device_match;
typedef enum loratune_shape_match {
  LORATUNE_SHAPE_EXACT = 0,
  LORATUNE_SHAPE_RULE = 1,
  LORATUNE_SHAPE_FALLBACK = 2 /* the built-in default */
} loratune_shape_match;

typedef struct loratune_choice {
  uint32_t size;           /* set by the caller; the rest is written */
  int32_t device_match;    /* loratune_device_match */
  int32_t shape_match;     /* loratune_shape_match */
  int32_t parameter_count; /* of the variant's tuning parameters */
  const char* variant;
  int32_t parameters[16];  /* their values, in the order of the variant's search space */
} loratune_choice;

/* What to run. Takes no lock, and allocates nothing where the file answers. Method: a hash table of the
 * file's records, then its rules, then the built-in default. */
int32_t loratune_pick(const loratune_dispatcher* dispatcher, const loratune_problem* problem,
                      loratune_choice* choice);

/* The pick, or the first choice after it that needs no function of the engine's own, as JSON that
 * any executor can run: source, defines, options, packing of A and B, scratch and launches with the
 * role, type and (where it is known before the call) value of each kernel argument.
 * docs/other-languages.md describes the members. */
int32_t loratune_plan(const loratune_dispatcher* dispatcher, const loratune_problem* problem,
                      loratune_text* json, loratune_text* detail);

/* In words, several lines: which record or rule answered, and why others were passed over. */
int32_t loratune_explain(const loratune_dispatcher* dispatcher, const loratune_problem* problem,
                         loratune_text* text, loratune_text* detail);

/* Keys of the problems that ended in the built-in default since the load, one a line, the most
 * frequent first; at most 1024. */
int32_t loratune_misses(const loratune_dispatcher* dispatcher, loratune_text* keys);

/* ---- adapters: the LoRA factors of a model's modules, as other tools wrote them ---- */

typedef struct loratune_adapter loratune_adapter;

typedef enum loratune_format {
  LORATUNE_FORMAT_ANY = 0, /* what the files say; loratune_adapter_save() refuses it */
  LORATUNE_FORMAT_PEFT = 1,
  LORATUNE_FORMAT_MLX_LM = 2,
  LORATUNE_FORMAT_GO_MLX = 3,
  LORATUNE_FORMAT_METAL_CANDLE = 4,
  LORATUNE_FORMAT_GGUF = 5 /* read only */
} loratune_format;

typedef struct loratune_adapter_options {
  uint32_t size;
  int32_t format;  /* loratune_format */
  const char* path; /* a folder as the tools write it, or one safetensors or GGUF file */
  int64_t rank;    /* of metal-candle's files, which hold neither rank nor alpha; 0: not known */
  double alpha;
  int32_t has_alpha; /* 1: `alpha` is given */
  int32_t lenient;   /* 1: keys that are no pair of a plain LoRA module are left out */
} loratune_adapter_options;

/* LORATUNE_INVALID_FILE with the file, the key and what was expected in `detail`.
 *
 * The factors stay in the files, which are mapped. They may be removed or replaced by others, but not
 * written to: loratune_adapter_factors(), _run() and _save() then give LORATUNE_INVALID_FILE. A write
 * during one of these calls goes unseen, and where it cuts the file it ends the process (SIGBUS). */
int32_t loratune_adapter_load(const loratune_adapter_options* options, loratune_adapter** adapter,
                              loratune_text* detail);
void loratune_adapter_destroy(loratune_adapter* adapter);

/* One line for each thing that the user should know, such as an order of rows that is not the model's,
 * or a base that must be changed. */
int32_t loratune_adapter_notes(const loratune_adapter* adapter, loratune_text* lines,
                               loratune_text* detail);

/* One line for each key that lenient reading left out, and why; a line behind the first 1000 says how
 * many more there are. */
int32_t loratune_adapter_skipped(const loratune_adapter* adapter, loratune_text* lines,
                                 loratune_text* detail);

/* 1 where the tool that wrote the adapter changes the base's weights when it loads it, else 0: on the
 * base as it is, the products are then not what that tool computes. The first note says more. */
int32_t loratune_adapter_changes_base(const loratune_adapter* adapter, int32_t* changes_base);

/* 0 for NULL. */
size_t loratune_adapter_module_count(const loratune_adapter* adapter);

typedef struct loratune_module {
  uint32_t size;      /* set by the caller; the rest is written */
  int32_t dtype;      /* loratune_dtype of the stored factors, F32 where A and B differ in it;
                         LORATUNE_DTYPE_DEFAULT: one of them is quantised */
  const char* path;   /* the module's name in the model */
  int64_t in, out;    /* k and n */
  int64_t rank;
  double alpha, scale; /* the product uses `scale` alone */
  int32_t matched;    /* 1: the adapter's config names the module among those that it is for */
  int32_t reserved;
} loratune_module;

/* Modules are sorted by path. LORATUNE_NOT_FOUND for an index that is none. */
int32_t loratune_adapter_module(const loratune_adapter* adapter, size_t index,
                                loratune_module* module);

/* The module of that path, or the only one whose path ends with `.` and the name. */
int32_t loratune_adapter_find(const loratune_adapter* adapter, const char* name, size_t* index,
                              loratune_text* detail);

/* Copies A[rank,in] and B[out,rank] of a module, row by row, in the dtype that is asked for, rounded
 * to the nearest. */
typedef struct loratune_factors {
  uint32_t size;
  int32_t dtype;            /* loratune_dtype */
  size_t index;             /* of the module */
  void* a;                  /* NULL: not wanted */
  size_t a_bytes;           /* at `a`; exactly what A takes */
  void* b;
  size_t b_bytes;
} loratune_factors;
int32_t loratune_adapter_factors(const loratune_adapter* adapter, const loratune_factors* factors,
                                 loratune_text* detail);

/* y[m,out] += factor * scale * (x[m,in] A^T) B^T of a module, on the host, floats row by row. A plain
 * loop for checks: sums in float, x A^T of a row at a time. */
typedef struct loratune_adapter_call {
  uint32_t size;
  uint32_t reserved;
  size_t index; /* of the module */
  int64_t m;
  double factor; /* left 0 it is 0 */
  const float* x;
  size_t x_count; /* floats at `x`; exactly m * in */
  float* y;
  size_t y_count; /* exactly m * out */
} loratune_adapter_call;
int32_t loratune_adapter_run(const loratune_adapter* adapter, const loratune_adapter_call* call,
                             loratune_text* detail);

/* Writes the adapter as another tool's folder, which must not exist or be empty. A new folder appears
 * whole or not at all. One that is there keeps its mode, and its files appear one by one, the config
 * last. An option that would be dropped is LORATUNE_INVALID_VALUE. */
typedef struct loratune_save_options {
  uint32_t size;
  int32_t format; /* loratune_format, neither ANY nor GGUF */
  const char* folder;
  double alpha;      /* what readers of metal-candle's files will be told */
  int32_t has_alpha; /* 1: `alpha` is given */
  int32_t heads;     /* of the queries of a GGUF's llama model; 0: not known */
  int32_t heads_kv;  /* of its keys; 0: as many where keys have as many outputs as queries */
  int32_t reserved;
} loratune_save_options;
int32_t loratune_adapter_save(const loratune_adapter* adapter,
                              const loratune_save_options* options, loratune_text* detail);

/* ---- products on the host: y (+)= scale * (x A^T) B^T in memory of the caller's, without OpenCL ----
 *
 * Method: SIMD of the processor at hand, chosen when it is first called, and blocks of columns shared
 * out to threads. Sums are f32 whatever the types. The bits of an element of y do not depend on m, on
 * the pitches or on the number of threads.
 */

typedef struct loratune_host_weights loratune_host_weights;

/* Packs A and B, copied, in the dtype of the source. */
int32_t loratune_host_weights_create(const loratune_weights_source* source,
                                     loratune_host_weights** weights, loratune_text* detail);
void loratune_host_weights_destroy(loratune_host_weights* weights);

/* Threads, idle between calls, and memory that grows with the largest call and is then only used
 * again. One thread at a time for each session. */
typedef struct loratune_host_session loratune_host_session;

/* `threads` of its own, 1 to 1024, the calling one being one of them; 0: 1. */
int32_t loratune_host_session_create(int32_t threads, loratune_host_session** session,
                                     loratune_text* detail);
void loratune_host_session_destroy(loratune_host_session* session);

/* Pitches are in elements; 0 is that of dense rows, k for x and n for y. x and y are aligned to their
 * elements and do not overlap. */
typedef struct loratune_host_call {
  uint32_t size;
  float scale; /* left 0 it is 0 */
  const loratune_problem* problem;      /* `mode` and `align` do not count */
  const loratune_host_weights* weights; /* of the problem's k, n, rank and weights_dtype */
  const void* x;
  size_t x_bytes; /* from `x` on; m rows at the pitch fit into them */
  void* y;
  size_t y_bytes;
  int64_t ld_x, ld_y;
} loratune_host_call;

/* LORATUNE_INVALID_OPERANDS, y being as it was, where x, y or the weights do not fit the problem,
 * or x and y overlap (their rows may lie beside one another at one pitch); LORATUNE_UNSUPPORTED for
 * slices, adapters and DoRA, LORATUNE_OUT_OF_MEMORY where there is none, y being as it was too;
 * LORATUNE_BUSY where another thread uses the session. Only the first calls allocate. */
int32_t loratune_forward_host(loratune_host_session* session, const loratune_host_call* call,
                              loratune_text* detail);

/* The processor's instructions that loratune_forward_host() uses, like `AVX2`. Never NULL. */
const char* loratune_host_instruction_set(void);

#ifdef __cplusplus
}
#endif

#endif
