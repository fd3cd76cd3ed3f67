/* Threads that share the iterations of loops; free of Python. */
#ifndef AG_POOL_H
#define AG_POOL_H
#include "ag_call.h"

enum { AG_MOST_THREADS = 256 };

/* `run` of struct ag_pool for as many threads as the call's pool says.
 *
 * There is one set of threads in a process.  They are started when first needed, and sleep when there is nothing to
 * do.  While they serve one loop, others run on the threads that asked for them, so nothing ever waits for a turn. */
int ag_pool_run(struct ag_call *call, ag_part part, const void *args, int64_t n, int64_t grain);

/* How many threads have been started, besides those that call. */
int ag_pool_started(void);

#endif
