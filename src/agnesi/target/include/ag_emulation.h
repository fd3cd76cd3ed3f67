/* CUDA's grids, blocks and barriers on one thread of the processor; part of ag_kernel.h.
 *
 * The threads of a block are fibers: each runs until it waits at a barrier or ends, then the next one.  AGNESI_ORDER, a
 * number, changes the order in which they take turns: 0 forwards, 1 backwards, others scattered; a kernel that lacks a
 * barrier gives different results.  A block some of whose threads end while others wait is an error.
 */
#ifndef AG_EMULATION_H
#define AG_EMULATION_H
#include "ag_grid.h"
#include "ag_support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define AG_DEVICE static __attribute__((unused))
#define AG_SHARED static _Thread_local
#define AG_RESTRICT restrict
#define AG_THREAD ag_place.thread
#define AG_THREADS ag_place.threads
#define AG_BLOCK ag_place.block
#define AG_BLOCKS ag_place.blocks
#define AG_SYNC() ag_wait()
#define AG_FIRST(place) (*(place) == 0)
#define AG_KERNEL(name) \
  static void name(const struct name##_args a); \
  static void name##_run(const void *args) { name(*(const struct name##_args *)args); } \
  static __attribute__((noinline)) void name(const struct name##_args a)

enum { AG_STACK = 64 * 1024 };

struct ag_fiber {
  ucontext_t context;
  int waits, ended;
};

struct ag_place {
  int64_t thread, threads, block, blocks;
  struct ag_fiber *fibers; /* NULL: threads run one after another */
  ucontext_t scheduler;
  void (*run)(const void *args);
  const void *args;
};

static _Thread_local struct ag_place ag_place;

static __attribute__((unused)) void ag_wait(void) {
  if (ag_place.fibers && ag_place.threads > 1) {
    struct ag_fiber *const own = &ag_place.fibers[ag_place.thread];
    own->waits = 1;
    swapcontext(&own->context, &ag_place.scheduler);
  }
}

static __attribute__((unused)) void ag_begin(void) {
  ag_place.run(ag_place.args);
  ag_place.fibers[ag_place.thread].ended = 1;
}

/* The fiber whose turn it is as number k. */
static __attribute__((unused)) int64_t ag_turn(int64_t k, int64_t n, int order) {
  return order == 0 ? k : order == 1 ? n - 1 - k : (k * (2 * (order % 50) + 1) + order) & (n - 1);
}

/* Has the fibers of a block run; whether all of them reached the same barriers. */
static __attribute__((unused)) int ag_run_block(char *stacks, int order) {
  const int64_t n = ag_place.threads;
  for (int64_t k = 0; k < n; k++) {
    struct ag_fiber *const fiber = &ag_place.fibers[k];
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = stacks + k * AG_STACK;
    fiber->context.uc_stack.ss_size = AG_STACK;
    fiber->context.uc_link = &ag_place.scheduler;
    fiber->waits = fiber->ended = 0;
    makecontext(&fiber->context, ag_begin, 0);
  }
  for (;;) {
    int64_t ended = 0, waiting = 0;
    for (int64_t k = 0; k < n; k++) {
      ag_place.thread = ag_turn(k, n, order);
      struct ag_fiber *const fiber = &ag_place.fibers[ag_place.thread];
      if (!fiber->ended) {
        fiber->waits = 0;
        swapcontext(&ag_place.scheduler, &fiber->context);
      }
      ended += fiber->ended;
      waiting += fiber->waits;
    }
    if (ended == n) return 1;
    if (waiting < n) {
      fprintf(stderr, "agnesi: of %d threads %d wait at a barrier and %d have ended\n", (int)n, (int)waiting, (int)ended);
      return 0;
    }
  }
}

#ifdef AG_DRIVEN

/* What stands for functions of CUDA's driver and of cuBLAS, with their signatures. */
int ag_cu_launch(void *function, unsigned blocks, unsigned y, unsigned z, unsigned threads, unsigned v, unsigned w,
                 unsigned shared, void *stream, void **params, void **extra);
int ag_cu_to_host(void *to, uint64_t from, size_t bytes, void *stream) {
  (void)stream;
  memcpy(to, (const void *)(uintptr_t)from, bytes);
  return 0;
}
int ag_cu_clear(uint64_t to, unsigned char value, size_t bytes, void *stream) {
  (void)stream;
  memset((void *)(uintptr_t)to, value, bytes);
  return 0;
}
int ag_cu_wait(void *stream) {
  (void)stream;
  return 0;
}

/* Matrices by columns: c[m,n] = alpha * op(a) op(b) + beta * c. */
#define AG_CU_GEMM(suffix, type) \
  int ag_cu_gemm_##suffix(void *handle, int turn_a, int turn_b, int m, int n, int k, const type *alpha, const type *a, \
                          int a_step, const type *b, int b_step, const type *beta, type *c, int c_step) { \
    (void)handle; \
    if (a_step < (turn_a ? k : m) || b_step < (turn_b ? n : k) || c_step < m) return 7; \
    for (int64_t i = 0; i < m; i++) \
      for (int64_t j = 0; j < n; j++) { \
        type sum = 0; \
        for (int64_t p = 0; p < k; p++) \
          sum += a[turn_a ? i * a_step + p : p * a_step + i] * b[turn_b ? p * b_step + j : j * b_step + p]; \
        type *const to = c + j * c_step + i; \
        *to = *alpha * sum + (*beta != (type)0 ? *beta * *to : (type)0); \
      } \
    return 0; \
  }
AG_CU_GEMM(f32, float)
AG_CU_GEMM(f64, double)
AG_CU_GEMM(c64, ag_c64)
AG_CU_GEMM(c128, ag_c128)

#else

#define AG_RECORD struct ag_record own_record = {0}, *const record = &own_record
#define AG_ASK \
  if (record->check) return ag_fail(call, record->check, record->values[0], record->values[1])
#define AG_END (void)0
#define AG_FETCH(place) (place)
#define AG_LAUNCH(name, blocks, threads, barriers, ...) \
  do { \
    const struct name##_args args = __VA_ARGS__; \
    AG_TRY(ag_launch(name##_run, &args, blocks, threads, barriers)); \
  } while (0)

#endif

/* Runs a kernel. barriers: whether its threads wait for each other. */
static __attribute__((unused)) int ag_launch(void (*run)(const void *args), const void *args, int64_t blocks,
                                             int64_t threads, int barriers) {
  const char *const text = getenv("AGNESI_ORDER");
  const int order = text ? atoi(text) : 0;
  int status = AG_OK;
  char *stacks = NULL;
  ag_place.run = run;
  ag_place.args = args;
  ag_place.threads = threads;
  ag_place.blocks = blocks;
  ag_place.fibers = NULL;
  if (barriers && threads > 1) {
    ag_place.fibers = malloc((size_t)threads * sizeof *ag_place.fibers);
    stacks = malloc((size_t)threads * AG_STACK);
    if (!ag_place.fibers || !stacks) status = AG_MEMORY;
  }
  for (int64_t k = 0; k < blocks && status == AG_OK; k++) {
    ag_place.block = ag_turn(k, blocks, order == 1);
    if (ag_place.fibers) {
      if (!ag_run_block(stacks, order)) abort();
    } else {
      for (ag_place.thread = 0; ag_place.thread < threads; ag_place.thread++) run(args);
    }
  }
  free(ag_place.fibers);
  free(stacks);
  return status;
}

#ifdef AG_DRIVEN
int ag_cu_launch(void *function, unsigned blocks, unsigned y, unsigned z, unsigned threads, unsigned v, unsigned w,
                 unsigned shared, void *stream, void **params, void **extra) {
  (void)y, (void)z, (void)v, (void)w, (void)shared, (void)stream, (void)extra;
  return ag_launch((void (*)(const void *))(uintptr_t)function, params[0], blocks, threads, 1);
}
#endif

#endif
