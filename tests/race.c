/* Several threads call a generated function of a matrix and of row numbers, which shares its loops by the pool: for the
 * thread sanitizer.  Results have to be those of one thread, and so do errors. */
#include "pool.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 600, COLUMNS = 40, PICKED = 5000, CALLS = 15, CALLERS = 3, BUFFERS = 7, WRONG = 3111 };

int ag_main(struct ag_call *call);

static double matrix[ROWS * COLUMNS];
static int64_t picked[PICKED], wrong[PICKED];
static const int32_t never = 0;

/* Two inputs and five outputs, matrices and vectors. */
struct whole {
  struct ag_call call;
  void *data[BUFFERS];
  int64_t dims[16], strides[16];
  size_t sizes[BUFFERS];
};

static const int places[BUFFERS + 1] = {0, 2, 3, 3, 4, 6, 7, 8};

static int alloc(struct ag_call *call, int32_t buffer) {
  struct whole *whole = (struct whole *)call;
  size_t size = sizeof(double);
  for (int i = places[buffer]; i < places[buffer + 1]; i++) size *= (size_t)call->dims[i];
  whole->sizes[buffer] = size;
  call->data[buffer] = malloc(size);
  return call->data[buffer] ? AG_OK : AG_MEMORY;
}

static int enter(struct ag_call *call, int64_t bytes) {
  return posix_memalign((void **)&call->arena, 64, (size_t)bytes + 64) ? AG_MEMORY : AG_OK;
}

static int poll(struct ag_call *call) { return *call->cancel ? AG_CANCEL : AG_OK; }

static int run(struct whole *whole, const struct ag_pool *pool, int64_t *rows) {
  memset(whole, 0, sizeof *whole);
  whole->call.data = whole->data;
  whole->call.dims = whole->dims;
  whole->call.strides = whole->strides;
  whole->call.pool = pool;
  whole->call.alloc = alloc;
  whole->call.enter = enter;
  whole->call.poll = poll;
  whole->call.cancel = &never;
  whole->data[0] = matrix;
  whole->data[1] = rows;
  memcpy(whole->dims, (int64_t[]){ROWS, COLUMNS, PICKED}, 3 * sizeof(int64_t));
  int status = ag_main(&whole->call);
  free(whole->call.arena);
  return status;
}

static void drop(struct whole *whole) {
  for (int i = 2; i < BUFFERS; i++) free(whole->data[i]);
}

static struct whole expected;

static void *caller(void *argument) {
  static const struct ag_pool pool = {3, 1000, 0, ag_grain, ag_pool_run};
  struct whole whole;
  long bad = 0;
  for (int k = 0; k < CALLS; k++) {
    bad += run(&whole, &pool, picked) != AG_OK;
    for (int i = 2; i < BUFFERS && !bad; i++) bad += memcmp(whole.data[i], expected.data[i], expected.sizes[i]) != 0;
    drop(&whole);
    bad += run(&whole, &pool, wrong) != AG_CHECK || whole.call.values[0] != ROWS + WRONG;
    drop(&whole);
  }
  (void)argument;
  return (void *)bad;
}

int main(void) {
  for (int i = 0; i < ROWS * COLUMNS; i++) matrix[i] = (i * 7919 % 1009) / 500.0 - 1;
  for (int i = 0; i < PICKED; i++) picked[i] = wrong[i] = i * 31 % ROWS;
  for (int i = WRONG; i < PICKED; i += 50) wrong[i] = ROWS + i;
  static const struct ag_pool serial = {1, 1000, 0, ag_grain, ag_run_serially};
  if (run(&expected, &serial, picked) != AG_OK) return 2;
  pthread_t threads[CALLERS];
  for (int i = 0; i < CALLERS; i++) pthread_create(&threads[i], NULL, caller, NULL);
  long bad = 0;
  for (int i = 0; i < CALLERS; i++) {
    void *found;
    pthread_join(threads[i], &found);
    bad += (long)found;
  }
  drop(&expected);
  printf("%ld wrong, %d threads\n", bad, ag_pool_started());
  return bad || ag_pool_started() != 2;
}
