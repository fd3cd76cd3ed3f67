/* Threads that share the iterations of loops.
 *
 * A loop is cut into parts, and each participant gets a range of them, the same one in every loop of the same size, so
 * that data stay in its caches.  Who has finished takes parts from the end of the ranges of others.  A thread that the
 * system does not let run has claimed nothing, and nobody waits for it.
 *
 * A range is one word, (loop number, next part, end), which owners and thieves change by compare-and-swap.  The number
 * makes a claim for an earlier loop fail; once a claim has succeeded, the loop lasts until its part is done.
 */
#define _GNU_SOURCE
#include "pool.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

enum {
  MOST_PARTS = 65535, /* a quarter of a word counts them */
  SPINS = 64,         /* between looks at the clock */
  AWAKE = 100000,     /* nanoseconds that a thread looks for work before it sleeps: waking it takes about 30,000 */
  PATIENCE = 20000,   /* nanoseconds that the caller waits for the last parts before it sleeps */
  RECENT = 50000,     /* nanoseconds from one small loop to the next, at most, for which threads are woken */
  WAKING = 6          /* loops are small below so many times the least work of one that is shared, some 70,000 ns */
};

struct range {
  _Alignas(64) _Atomic uint64_t word;
};

static struct range ranges[AG_MOST_THREADS];
static _Alignas(64) _Atomic uint64_t announced; /* (loop number, participants) */
static _Alignas(64) _Atomic int64_t pending;    /* parts that are not done */
static _Atomic int sleepers, waiting;
static atomic_bool busy;           /* whether the threads serve a loop */
static _Atomic int64_t last_small; /* when a small loop was over, in nanoseconds */
static _Atomic int started, limit = AG_MOST_THREADS;
static pthread_t threads[AG_MOST_THREADS];
static int avoided = -1, apart; /* the processor that so many threads keep away from */
static bool watches_forks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER, finished = PTHREAD_COND_INITIALIZER;

/* The present loop: written before it is announced, read by those who hold a part of it. */
static struct {
  struct ag_call *call;
  ag_part part;
  const void *args;
  int64_t n, grain;
} loop;
static _Atomic int64_t failed; /* the first part that failed */
static struct {
  int status;
  int32_t check;
  int64_t values[4];
} failure; /* of that part; guarded by the lock */

/* Parts ----------------------------------------------------------------------------------------- */

static inline void pause_briefly(void) {
#if defined __x86_64__
  __builtin_ia32_pause();
#elif defined __aarch64__
  __asm__ volatile("yield");
#endif
}

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Takes a part from a range: the next one of the thread's own, the last one of another's; -1: there is none. */
static int64_t claim(struct range *range, uint32_t number, bool own) {
  uint64_t word = atomic_load(&range->word);
  for (;;) {
    const uint32_t next = word >> 16 & 0xffff, end = word & 0xffff;
    if (word >> 32 != number || next == end) return -1;
    if (atomic_compare_exchange_weak(&range->word, &word, own ? word + (1 << 16) : word - 1))
      return own ? next : end - 1;
  }
}

static void note_failure(int64_t part, int status, const struct ag_call *call) {
  pthread_mutex_lock(&lock);
  if (part < atomic_load(&failed)) {
    atomic_store(&failed, part);
    failure.status = status;
    failure.check = call->check;
    for (int i = 0; i < 4; i++) failure.values[i] = call->values[i];
  }
  pthread_mutex_unlock(&lock);
}

/* `poll` of the calls that parts get: the call that shares the loop listens, and has let other threads of Python go on. */
static int look(struct ag_call *call) { return *call->cancel ? AG_CANCEL : AG_OK; }

/* Carries out a part unless an earlier one has failed. */
static void carry_out(int64_t part, struct ag_call *call, int thread) {
  const int64_t lo = part * loop.grain, hi = loop.n - lo < loop.grain ? loop.n : lo + loop.grain;
  if (part > atomic_load(&failed)) return;
  const int status = *call->cancel ? AG_CANCEL : loop.part(call, loop.args, lo, hi, thread);
  if (status != AG_OK) note_failure(part, status, call);
}

static void count_done(void) {
  if (atomic_fetch_sub(&pending, 1) != 1 || !atomic_load(&waiting)) return;
  pthread_mutex_lock(&lock);
  pthread_cond_signal(&finished);
  pthread_mutex_unlock(&lock);
}

/* Works on a loop as one of its participants until no part is left. */
static void take_part(uint32_t number, int thread, int participants) {
  struct ag_pool serial; /* what is split, is split as if there were threads: results are the same */
  struct ag_call mine;
  bool copied = false;
  for (int i = 0; i < participants; i++) {
    int whose = thread + i < participants ? thread + i : thread + i - participants;
    int64_t part;
    while ((part = claim(&ranges[whose], number, i == 0)) >= 0) {
      if (!copied) {
        mine = *loop.call;
        serial = *mine.pool;
        serial.threads = 1;
        serial.run = ag_run_serially;
        mine.pool = &serial;
        mine.poll = look;
        copied = true;
      }
      carry_out(part, &mine, thread);
      count_done();
    }
  }
}

/* Threads --------------------------------------------------------------------------------------- */

/* Waits for another loop than the one seen last. */
static uint64_t await_news(uint64_t seen) {
  for (int64_t end = nanoseconds() + AWAKE; nanoseconds() < end;)
    for (int i = 0; i < SPINS; i++) {
      const uint64_t now = atomic_load(&announced);
      if (now != seen) return now;
      pause_briefly();
    }
  pthread_mutex_lock(&lock);
  atomic_fetch_add(&sleepers, 1);
  while (atomic_load(&announced) == seen) pthread_cond_wait(&news, &lock);
  atomic_fetch_sub(&sleepers, 1);
  pthread_mutex_unlock(&lock);
  return atomic_load(&announced);
}

static void *work(void *argument) {
  const int thread = (int)(intptr_t)argument;
  uint64_t seen = 0;
  for (;;) {
    seen = await_news(seen);
    const int participants = (int)(seen & 0xffffffff);
    if (thread < participants) take_part((uint32_t)(seen >> 32), thread, participants);
  }
  return NULL;
}

/* In the child of a fork there are no threads but the one that forked. */
static void after_fork(void) {
  pthread_mutex_init(&lock, NULL);
  pthread_cond_init(&news, NULL);
  pthread_cond_init(&finished, NULL);
  atomic_store(&sleepers, 0);
  atomic_store(&waiting, 0);
  atomic_store(&started, 0);
  atomic_store(&announced, 0);
  for (int i = 0; i < AG_MOST_THREADS; i++) atomic_store(&ranges[i].word, 0);
  avoided = -1;
  atomic_store(&busy, false);
}

/* Sees to it that there are `count` threads besides the caller; how many there are. */
static int start(int count) {
  int have = atomic_load(&started);
  if (have >= count) return have;
  if (!watches_forks && pthread_atfork(NULL, NULL, after_fork) != 0) return 0;
  watches_forks = true;
  sigset_t all, before;
  sigfillset(&all); /* signals are for the threads of the program */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  while (have < count && pthread_create(&threads[have], &attributes, work, (void *)(intptr_t)(have + 1)) == 0) have++;
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  atomic_store(&started, have);
  return have;
}

/* Keeps threads away from the caller's processor: Linux may wake all of them there after a pause, and then takes some ten
 * milliseconds to spread them. */
static void keep_apart(int others) {
#ifdef __linux__
  cpu_set_t set;
  const int here = sched_getcpu();
  if (here < 0 || (here == avoided && others <= apart)) return;
  if (sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) <= others) return;
  CPU_CLR(here, &set);
  for (int i = 0; i < others; i++) pthread_setaffinity_np(threads[i], sizeof set, &set);
  avoided = here;
  apart = others;
#else
  (void)others;
#endif
}

int ag_pool_started(void) { return atomic_load(&started); }

int ag_pool_allowed(long threads) {
  const int most = atomic_load_explicit(&limit, memory_order_relaxed);
  return threads < most ? (int)threads : most;
}

int agnesi_get_num_threads(void) { return atomic_load(&limit); }

void agnesi_set_num_threads(int threads) {
  atomic_store(&limit, threads < 1 ? 1 : threads < AG_MOST_THREADS ? threads : AG_MOST_THREADS);
}

/* Loops ----------------------------------------------------------------------------------------- */

/* Gives the participants their ranges, and wakes those that sleep. */
static uint32_t announce(int participants, int64_t parts) {
  static uint32_t number;
  number++;
  for (int i = 0; i < participants; i++) {
    const uint64_t first = (uint64_t)(parts * i / participants), end = (uint64_t)(parts * (i + 1) / participants);
    atomic_store(&ranges[i].word, (uint64_t)number << 32 | first << 16 | end);
  }
  atomic_store(&announced, (uint64_t)number << 32 | (uint64_t)participants);
  if (atomic_load(&sleepers)) {
    pthread_mutex_lock(&lock);
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&lock);
  }
  return number;
}

/* Waits for the parts that others have claimed. */
static void await_others(void) {
  for (int64_t end = nanoseconds() + PATIENCE; nanoseconds() < end;)
    for (int i = 0; i < SPINS; i++) {
      if (atomic_load(&pending) == 0) return;
      pause_briefly();
    }
  pthread_mutex_lock(&lock);
  atomic_store(&waiting, 1);
  while (atomic_load(&pending) != 0) pthread_cond_wait(&finished, &lock);
  atomic_store(&waiting, 0);
  pthread_mutex_unlock(&lock);
}

/* Whether all threads that a loop wants are looking for work. */
static bool are_awake(int others) { return atomic_load(&started) >= others && atomic_load(&sleepers) == 0; }

/* Has a loop carried out by several threads, none of which serves another one. */
static int share(struct ag_call *call, ag_part part, const void *args, int64_t n, int64_t grain, int64_t parts,
                 int participants) {
  const int others = start(participants - 1);
  if (participants > others + 1) participants = others + 1;
  keep_apart(participants - 1);
  loop.call = call;
  loop.part = part;
  loop.args = args;
  loop.n = n;
  loop.grain = grain;
  atomic_store(&failed, INT64_MAX);
  atomic_store(&pending, parts);
  take_part(announce(participants, parts), 0, participants);
  await_others();
  const bool fails = atomic_load(&failed) != INT64_MAX;
  const int status = fails ? failure.status : AG_OK;
  if (fails) {
    call->check = failure.check;
    for (int i = 0; i < 4; i++) call->values[i] = failure.values[i];
  }
  atomic_store(&busy, false);
  return status;
}

bool ag_pool_is_small(const struct ag_pool *pool, int64_t n, int64_t work) {
  return (double)n * (double)work < WAKING * (double)pool->worth;
}

int ag_pool_run(struct ag_call *call, ag_part part, const void *args, int64_t n, int64_t grain, int64_t work) {
  const int64_t parts = n / grain + (n % grain != 0);
  int participants = call->pool->threads < AG_MOST_THREADS ? call->pool->threads : AG_MOST_THREADS;
  if (participants > parts) participants = (int)parts;
  if (participants <= 1 || parts > MOST_PARTS) return ag_run_serially(call, part, args, n, grain, work);
  const bool small = ag_pool_is_small(call->pool, n, work);
  const bool asleep = small && !are_awake(participants - 1) && nanoseconds() - atomic_load(&last_small) > RECENT;
  const int status = asleep || atomic_exchange(&busy, true) ? ag_run_serially(call, part, args, n, grain, work)
                                                            : share(call, part, args, n, grain, parts, participants);
  if (small) atomic_store(&last_small, nanoseconds());
  return status;
}
