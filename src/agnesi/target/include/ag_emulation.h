/* CUDA's grids, blocks and barriers on one thread of the processor; part of ag_kernel.h.
 *
 * The threads of a block are fibers: each runs until it waits at a barrier or ends, then the next one.  AGNESI_ORDER, a
 * number, changes the order in which they take turns: 0 forwards, 1 backwards, others scattered; a kernel that lacks a
 * barrier gives different results.  A block some of whose threads end while others wait is an error.
 */
#ifndef AG_EMULATION_H
#define AG_EMULATION_H
#include "ag_support.h"
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#define AG_DEVICE static __attribute__((unused))
#define AG_SHARED static _Thread_local
#define AG_RESTRICT restrict
#define AG_THREAD ag_place.thread
#define AG_THREADS ag_place.threads
#define AG_BLOCK ag_place.block
#define AG_BLOCKS ag_place.blocks
#define AG_SYNC() ag_wait()
#define AG_FETCH(place) (place)
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

/* Hands on what a kernel has recorded. */
static __attribute__((unused)) int ag_failed(struct ag_call *call, const struct ag_record *record) {
  return ag_fail(call, record->check, record->values[0], record->values[1]);
}

#define AG_LAUNCH(name, blocks, threads, barriers, ...) \
  do { \
    const struct name##_args args = __VA_ARGS__; \
    AG_TRY(ag_launch(name##_run, &args, blocks, threads, barriers)); \
  } while (0)

/* The number of blocks for n iterations, `each` at a time. */
static inline __attribute__((unused)) int64_t ag_blocks(int64_t n, int64_t each) {
  const int64_t wanted = n / each + (n % each > 0);
  return wanted < 1 ? 1 : wanted < AG_MOST_BLOCKS ? wanted : AG_MOST_BLOCKS;
}

/* The same where each block has copies of so many bytes: they take up to 64 MiB together. */
static inline __attribute__((unused)) int64_t ag_copying(int64_t n, int64_t bytes) {
  const int64_t most = ((int64_t)64 << 20) / (bytes > 0 ? bytes : 1) + 1, wanted = ag_blocks(n, 1);
  return wanted < most ? wanted : most;
}

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

#endif
