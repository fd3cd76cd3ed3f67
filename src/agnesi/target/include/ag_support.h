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

/* Before a loop whose iterations do not touch the same memory, where that is hard to see. */
#if defined __clang__
#define AG_APART _Pragma("clang loop vectorize(assume_safety)")
#elif defined __GNUC__
#define AG_APART _Pragma("GCC ivdep")
#else
#define AG_APART
#endif

/* A number that the compiler does not know. */
#define AG_HIDDEN(name, n) \
  int64_t name = (n);      \
  __asm__("" : "+r"(name))

/* Leaves the function with a status that is not AG_OK. */
#define AG_TRY(call) \
  do { \
    const int status = (call); \
    if (status) return status; \
  } while (0)

/* What a function does last: while the upper halves of vector registers are in use, code for older processors, as Python is,
 * takes up to three times as long on some. Compilers care for that at higher levels of optimization only. */
#if defined(__AVX__) && defined(__GNUC__)
#define AG_LEAVE() __builtin_ia32_vzeroupper()
#else
#define AG_LEAVE() (void)0
#endif

#define AG_NEST static __attribute__((noinline, unused))
#define AG_PART __attribute__((noinline, visibility("hidden")))
/* For loops that compute: on some processors gcc takes half vectors, which suits those that wait for memory. */
#if defined(__AVX512F__) && defined(__GNUC__) && !defined(__clang__)
#define AG_WIDE __attribute__((target("prefer-vector-width=512")))
#define AG_HALF __attribute__((target("prefer-vector-width=256")))
#else
#define AG_WIDE
#define AG_HALF
#endif
/* For entries that call many functions, once each: to optimize them takes long and gains nothing. */
#if defined(__clang__)
#define AG_LONG_ENTRY __attribute__((noinline, optnone))
#else
#define AG_LONG_ENTRY __attribute__((optimize("O0")))
#endif
#define AG_ALIGN(bytes) (((bytes) + 63) & ~(int64_t)63)

/* Records a failed check; the first one stays. */
static inline __attribute__((unused)) int ag_fail(struct ag_call *call, int32_t check, int64_t a, int64_t b) {
  call->check = check;
  call->values[0] = a;
  call->values[1] = b;
  return AG_CHECK;
}

/* Leaves the function for code that is made for sizes, if any of them is not 0. */
#define AG_BY_SIZE(a, b, c, d) \
  do { \
    const int64_t ag_sizes[4] = {a, b, c, d}; \
    for (int k = 0; k < 4; k++) call->values[k] = ag_sizes[k]; \
    if (ag_sizes[0] | ag_sizes[1] | ag_sizes[2] | ag_sizes[3]) return AG_SIZE; \
  } while (0)

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

static inline __attribute__((always_inline, unused)) int64_t ag_min(int64_t a, int64_t b) { return a < b ? a : b; }

/* Stores past the caches -------------------------------------------------------------------- */

#define AG_LINES __attribute__((aligned(64)))

/* How many elements there are before the next cache line; on one, as many as in a block. */
static inline __attribute__((always_inline, unused)) int64_t ag_to_line(const void *place, int64_t size, int64_t block) {
  const int64_t before = (int64_t)(-(uintptr_t)place & 63) / size;
  return before ? before : block;
}

/* Writes some of the elements of a block; if it is all of them, and they begin at a line, so that no cache keeps them, and
 * none has to read them before.  Sanitizers do not see such stores. */
#define AG_STREAM(to, block, start, count) \
  ag_stream(to, (block) + (start), (uint64_t)(count) * sizeof *(block), sizeof (block))

#if defined(__AVX__) && defined(__GNUC__)
#define AG_STREAMS 1
#else
#define AG_STREAMS 0
#endif

typedef long long ag_half_line __attribute__((vector_size(32), may_alias));

static inline __attribute__((always_inline, unused)) void ag_stream(void *to, const void *from, uint64_t bytes,
                                                                    uint64_t whole) {
#if AG_STREAMS && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  if (bytes == whole && !((uintptr_t)to & 63)) {
    ag_half_line *target = to;
    const ag_half_line *source = from;
#pragma GCC unroll 8
    for (uint64_t k = 0; k < whole / 32; k++)
#ifdef __clang__
      __builtin_nontemporal_store(source[k], target + k);
#else
      __builtin_ia32_movntdq256(target + k, source[k]);
#endif
    return;
  }
#endif
  (void)whole;
  __builtin_memcpy(to, from, bytes);
}

/* What other threads need before they read what was written so. */
static inline __attribute__((always_inline, unused)) void ag_fence(void) {
#if AG_STREAMS
  __builtin_ia32_sfence();
#endif
}

/* Loops that threads share ------------------------------------------------------------------ */

/* The distance, in elements, of copies that begin at cache lines. */
#define AG_STEP(size, bytes) (((size) + (64 / (bytes) - 1)) & ~(int64_t)(64 / (bytes) - 1))

/* Has the threads carry out n iterations of a loop, each of so much work; the rest are the fields of its arguments. */
#define AG_SHARE(loop, n, grain, work, ...) \
  do { \
    const struct loop##_args args = {__VA_ARGS__}; \
    AG_TRY(call->pool->run(call, loop##_part, &args, n, grain, work)); \
  } while (0)

/* Defines a function that joins copies of an array, the first ones first, with the array itself. */
#define AG_JOIN(name, type, joined) \
  static __attribute__((noinline, unused)) void name(type *restrict to, const type *restrict copies, int64_t size, \
                                                         int64_t step, int64_t count) { \
    for (int64_t k = 0; k < count; k++, copies += step) \
      for (int64_t j = 0; j < size; j++) to[j] = joined; \
  }

#endif
