/* Ctrl-C in long loops: a flag that generated code polls, set by a signal handler before Python's own.
 *
 * Python runs signal handlers in its main thread only, so only calls of that thread are ended.
 */
#include "runtime.h"
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

static const volatile int32_t never;
static volatile int32_t interrupted;
static struct sigaction previous; /* Python's, or whose turn it is after ours */
static pthread_t main_thread;
static bool main_known;

static bool in_main_thread(void) {
  if (!main_known) {
#ifdef __linux__
    main_known = syscall(SYS_gettid) == getpid();
#else
    main_known = pthread_main_np() != 0;
#endif
    if (main_known) main_thread = pthread_self();
  }
  return main_known && pthread_equal(main_thread, pthread_self());
}

/* The thread that forked is the main one of the child. */
static void after_fork(void) { main_known = false; }

static void on_interrupt(int number, siginfo_t *info, void *context) {
  interrupted = 1;
  if (previous.sa_flags & SA_SIGINFO) previous.sa_sigaction(number, info, context);
  else if (previous.sa_handler != SIG_IGN && previous.sa_handler != SIG_DFL) previous.sa_handler(number);
}

/* Whether the coarse clock has ticked since the last time: every few milliseconds.
 *
 * Looking at the handler is a system call, ten times as dear as the rest of a small call; a handler that was
 * exchanged within the tick of an earlier call is found by the next one. */
static bool ticked(void) {
#ifdef CLOCK_MONOTONIC_COARSE
  enum { CLOCK = CLOCK_MONOTONIC_COARSE };
#else
  enum { CLOCK = CLOCK_MONOTONIC };
#endif
  static int64_t last = -1;
  struct timespec time;
  clock_gettime(CLOCK, &time);
  int64_t tick = (int64_t)time.tv_sec * 250 + time.tv_nsec / 4000000;
  bool new = tick != last;
  last = tick;
  return new;
}

/* Puts our handler before the present one, unless the signal is ignored or kills. */
static void listen_for_interrupts(void) {
  struct sigaction now;
  if (sigaction(SIGINT, NULL, &now) != 0) return;
  bool simple = !(now.sa_flags & SA_SIGINFO);
  if (!simple && now.sa_sigaction == on_interrupt) return;
  if (simple && (now.sa_handler == SIG_IGN || now.sa_handler == SIG_DFL)) return;
  previous = now;
  now.sa_sigaction = on_interrupt;
  now.sa_flags |= SA_SIGINFO;
  sigaction(SIGINT, &now, NULL);
}

const volatile int32_t *ag_cancel_flag(Dispatcher *self) {
  return self->long_loops && in_main_thread() ? &interrupted : &never;
}

/* Before a loop that polls the flag; -1 with an exception if there was an interrupt just now. */
int ag_arm(const volatile int32_t *flag) {
  if (flag != &interrupted) return 0;
  if (ticked()) listen_for_interrupts();
  interrupted = 0;
  return PyErr_CheckSignals();
}

int ag_interrupt_init(void) {
  if (pthread_atfork(NULL, NULL, after_fork) == 0) return 0;
  PyErr_SetString(PyExc_OSError, "pthread_atfork failed");
  return -1;
}
