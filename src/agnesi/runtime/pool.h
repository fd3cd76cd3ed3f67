/* Threads that share the iterations of loops; free of Python. */
#ifndef AG_POOL_H
#define AG_POOL_H
#include <stdbool.h>

#include "ag_call.h"

enum { AG_MOST_THREADS = 256 };

/* For other programs, who find it by name. */
#define AG_EXPORT __attribute__((visibility("default")))

/* `run` of struct ag_pool for as many threads as the call's pool says.
 *
 * There is one set of threads in a process.  They are started when first needed, and sleep when there is nothing to
 * do; small loops wake them only if they follow each other closely.  While they serve one loop, others run on the
 * threads that asked for them, so nothing ever waits for a turn. */
int ag_pool_run(struct ag_call *call, ag_part part, const void *args, int64_t n, int64_t grain, int64_t work);

/* Whether a loop takes no longer than a thread to wake up. */
bool ag_pool_is_small(const struct ag_pool *pool, int64_t n, int64_t work);

/* How many threads have been started, besides those that call. */
int ag_pool_started(void);

/* As many threads as a call may use that wants `threads`: no more than the process allows. */
int ag_pool_allowed(long threads);

/* How many threads the process allows any call; AG_MOST_THREADS at first. */
AG_EXPORT int agnesi_get_num_threads(void);
AG_EXPORT void agnesi_set_num_threads(int threads);

#endif
