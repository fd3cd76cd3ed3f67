/* The contract between generated code and whoever calls it.
 *
 * A compiled function is `int f(struct ag_call *call)`.  Nothing here needs Python: the dispatcher in
 * agnesi.runtime fills the structure for Python callers, an exported C program fills it by hand.
 *
 * Buffers are numbered: inputs, shared variables, array constants, outputs, new values of updates.
 * `dims` and `strides` hold the dimensions of all buffers one after another, each buffer taking as
 * many places as it has axes; strides count elements, not bytes.
 */
#ifndef AG_CALL_H
#define AG_CALL_H
#include <stdint.h>

#include "ag_complex.h"

/* What a compiled function returns. */
enum ag_status {
  AG_OK = 0,
  AG_CHECK = 1,   /* a check failed: `check` and `values` say which */
  AG_MEMORY = 2,  /* alloc or enter could not get memory */
  AG_GENERAL = 3, /* this variant assumes equal sizes and these are not: call the general variant */
  AG_CANCEL = 4,  /* `*cancel` became non-zero during a long loop */
  AG_PYTHON = 5,  /* a Python exception is set */
  AG_DRIVER = 6,  /* the driver of a device reports the error `values[0]` */
  AG_SIZE = 7     /* code for the sizes in `values` is faster; only where `by_size` is set */
};

struct ag_call;

/* A part of a loop: its iterations from lo to hi - 1, by one of the threads; parts of one thread follow each other.
 * What is not AG_OK ends the loop. */
typedef int (*ag_part)(struct ag_call *call, const void *args, int64_t lo, int64_t hi, int32_t thread);

/* What splits loops among threads, and says where results go.
 * threads: at most so many take part.  worth: the work, in additions, from which a loop is split.
 * streaming: the bytes of a result from which loops write it past the caches.
 * grain: `ag_grain`.
 * run: has [0, n) carried out in parts that start at multiples of `grain`; each of n takes so much work, in additions.
 * Parts get a call of their own, but may only use its library, its pool (on their own thread), `poll`, and its record of a
 * failed check.  If parts fail, the result and the record are those of the first of them, as without threads. */
struct ag_pool {
  int32_t threads;
  int64_t worth, streaming;
  int64_t (*grain)(const struct ag_pool *pool, int64_t n, int64_t work, int64_t unit, int64_t copied);
  int (*run)(struct ag_call *call, ag_part part, const void *args, int64_t n, int64_t grain, int64_t work);
};

enum { AG_MOST_PARTS = 128, AG_WORTH_COPIES = 256 };

/* Dense products and solvers; every stride counts elements, every array may be transposed.
 * gemm: c[m,n] = alpha * a[m,k] b[k,n] + beta * c, `c` with unit column stride.  By the threads of
 * the call, unless that is NULL.
 * solve: x[n,m] = a[n,n]^-1 b[n,m]; all three row-major, contiguous; `work` holds
 * ag_solve_bytes(n, m, itemsize) bytes; returns 0, or the 1-based column of the first zero pivot. */
#define AG_GEMM(suffix, type) \
  void (*gemm_##suffix)(struct ag_call *call, int64_t m, int64_t n, int64_t k, type alpha, const type *a, \
                        int64_t a_row, int64_t a_col, const type *b, int64_t b_row, int64_t b_col, type beta, type *c, \
                        int64_t c_row);
#define AG_SOLVE(suffix, type) \
  int (*solve_##suffix)(int64_t n, int64_t m, const type *a, const type *b, type *x, void *work);
struct ag_library {
  AG_GEMM(f32, float)
  AG_GEMM(f64, double)
  AG_GEMM(c64, ag_c64)
  AG_GEMM(c128, ag_c128)
  AG_SOLVE(f32, float)
  AG_SOLVE(f64, double)
  AG_SOLVE(c64, ag_c64)
  AG_SOLVE(c128, ag_c128)
};
#undef AG_GEMM
#undef AG_SOLVE

/* Scratch of `solve`: a copy of a, a copy of b, the pivots; a multiple of 64. */
static inline int64_t ag_solve_bytes(int64_t n, int64_t m, int64_t itemsize) {
  return ((n * n + n * m) * itemsize + n * (int64_t)sizeof(int32_t) + 63) / 64 * 64;
}

/* An array without gaps, as Python functions see it. type: NumPy's number of the dtype. */
struct ag_array {
  void *data;
  int32_t type, ndim;
  const int64_t *dims;
};

struct ag_call {
  void **data;
  int64_t *dims;
  int64_t *strides;
  char *arena;                                         /* 64-byte aligned scratch, set by `enter` */
  const struct ag_library *library;
  const struct ag_pool *pool;
  int (*alloc)(struct ag_call *, int32_t buffer);      /* dims are filled in: sets data and strides; an ag_status */
  int (*enter)(struct ag_call *, int64_t arena_bytes); /* after all fixed-size allocations, before any work */
  int (*more)(struct ag_call *, int64_t arena_bytes);  /* later: `arena` is another one, the earlier stays alive */
  /* Runs the Python function of a check number on arrays, the last of which gets the sizes of its results; with
   * result >= 0 it fills the last array with that result instead. */
  int (*python)(struct ag_call *, int32_t site, int32_t result, int32_t count, struct ag_array *arrays);
  int (*poll)(struct ag_call *);                       /* before a loop of many steps: `cancel` is heard; an ag_status */
  const volatile int32_t *cancel;
  int32_t check;                                       /* 1-based id of the check that failed first, 0: none */
  int32_t by_size;                                     /* whether there can be code for sizes: AG_SIZE is understood */
  int64_t values[4];                                   /* what the failed check saw; sizes, 0 for any */
  const struct ag_device *device;                      /* ag_device.h; NULL on the processor */
};

/* How many of n iterations make a part.  It depends on sizes only, so results do not depend on the number of threads.
 * work: of one iteration; unit: a part has a multiple of so many; copied: elements that each part has a copy of. */
static inline __attribute__((unused)) int64_t ag_grain(const struct ag_pool *pool, int64_t n, int64_t work, int64_t unit,
                                                       int64_t copied) {
  const double wanted = (double)n * (double)work * 2 / (double)pool->worth;
  if (wanted < 2) return n > 1 ? n : 1;
  const int64_t parts = wanted < AG_MOST_PARTS ? (int64_t)wanted : AG_MOST_PARTS;
  const int64_t even = (n - 1) / parts + 1, least = copied * AG_WORTH_COPIES / work;
  return ((even > least ? even : least) + unit - 1) / unit * unit;
}

/* `run` of a pool without threads. */
static inline __attribute__((unused)) int ag_run_serially(struct ag_call *call, ag_part part, const void *args,
                                                          int64_t n, int64_t grain, int64_t work) {
  (void)work;
  for (int64_t lo = 0; lo < n; lo += grain) {
    const int status = *call->cancel ? AG_CANCEL : part(call, args, lo, n - lo < grain ? n : lo + grain, 0);
    if (status) return status;
  }
  return AG_OK;
}

#endif
