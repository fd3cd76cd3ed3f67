/* What generated code needs beyond the call structure and elementary functions. */
#ifndef AG_SUPPORT_H
#define AG_SUPPORT_H
#include "ag_call.h"

/* Unrolls a loop over the partial results of a reduction, so that they stay in registers. Right at -O1 only, which is
 * what our own toolchain compiles with; at higher levels it hinders the vectoriser. */
#ifdef AG_UNROLL_LANES
#define AG_PRAGMA(x) _Pragma(#x)
#define AG_LANES(n) AG_PRAGMA(GCC unroll n)
#else
#define AG_LANES(n)
#endif

/* Leaves the function with a status that is not AG_OK. */
#define AG_TRY(call) \
  do { \
    const int status = (call); \
    if (status) return status; \
  } while (0)

#define AG_NEST static __attribute__((noinline, unused))
#define AG_PART __attribute__((noinline, visibility("hidden")))
#define AG_ALIGN(bytes) (((bytes) + 63) & ~(int64_t)63)

/* Loops that threads share ------------------------------------------------------------------ */

enum { AG_MOST_PARTS = 128, AG_WORTH_COPIES = 256 };

/* The distance, in elements, of copies that begin at cache lines. */
#define AG_STEP(size, bytes) (((size) + (64 / (bytes) - 1)) & ~(int64_t)(64 / (bytes) - 1))

/* How many of n iterations make a part.  It depends on sizes only, so results do not depend on the number of threads.
 * work: of one iteration; unit: a part has a multiple of so many; copied: elements that each part has a copy of. */
static inline __attribute__((unused)) int64_t ag_grain(const struct ag_pool *pool, int64_t n, int64_t work,
                                                       int64_t unit, int64_t copied) {
  const double wanted = (double)n * work / pool->worth * 2;
  if (wanted < 2) return n > 1 ? n : 1;
  const int64_t parts = wanted < AG_MOST_PARTS ? (int64_t)wanted : AG_MOST_PARTS;
  const int64_t even = (n - 1) / parts + 1, least = copied * AG_WORTH_COPIES / work;
  return ((even > least ? even : least) + unit - 1) / unit * unit;
}

static inline __attribute__((unused)) int64_t ag_parts(int64_t n, int64_t grain) { return n > 0 ? (n - 1) / grain + 1 : 1; }

/* Has the threads carry out n iterations of a loop; the rest are the fields of its arguments. */
#define AG_SHARE(loop, n, grain, ...) \
  do { \
    const struct loop##_args args = {__VA_ARGS__}; \
    const int64_t all = (n), size = (grain); \
    AG_TRY(size < all ? call->pool->run(call, loop##_part, &args, all, size) : loop##_part(call, &args, 0, all, 0)); \
  } while (0)

/* Records a failed check; the first one stays. */
static inline __attribute__((unused)) int ag_fail(struct ag_call *call, int32_t check, int64_t a, int64_t b) {
  call->check = check;
  call->values[0] = a;
  call->values[1] = b;
  return AG_CHECK;
}

/* Arithmetic of sizes: what overflows is the largest integer. */
static inline __attribute__((always_inline, unused)) int64_t ag_plus(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static inline __attribute__((always_inline, unused)) int64_t ag_minus(int64_t a, int64_t b) {
  int64_t difference;
  return __builtin_sub_overflow(a, b, &difference) ? INT64_MAX : difference;
}

static inline __attribute__((always_inline, unused)) int64_t ag_times(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

static inline __attribute__((always_inline, unused)) int64_t ag_max(int64_t a, int64_t b) { return a > b ? a : b; }

#endif
