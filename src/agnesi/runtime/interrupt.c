/* Ctrl-C in long loops: a flag that generated code polls, set by a signal handler before Python's own.
 *
 * Python runs signal handlers in its main thread only, so only calls of that thread are ended.
 */
#include "runtime.h"
#include <pthread.h>
#include <signal.h>
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
  if (!main_known) { /* only the main thread writes here: others may ask at the same time */
#ifdef __linux__
    if (syscall(SYS_gettid) != getpid()) return false;
#else
    if (pthread_main_np() == 0) return false;
#endif
    main_thread = pthread_self();
    main_known = true;
  }
  return pthread_equal(main_thread, pthread_self());
}

/* The thread that forked is the main one of the child. */
static void after_fork(void) { main_known = false; }

static void on_interrupt(int number, siginfo_t *info, void *context) {
  interrupted = 1;
  if (previous.sa_flags & SA_SIGINFO) previous.sa_sigaction(number, info, context);
  else if (previous.sa_handler != SIG_IGN && previous.sa_handler != SIG_DFL) previous.sa_handler(number);
}

/* Puts our handler before the present one, unless the signal is ignored or kills.
 *
 * Looked at before every call that has long loops, although it is a system call: where the handler was exchanged just
 * before, a loop could not be ended otherwise. */
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
  listen_for_interrupts();
  interrupted = 0;
  return PyErr_CheckSignals();
}

/* The flag of an interrupt from now on, for a call that turns out to be long; needs no GIL. */
const volatile int32_t *ag_await_interrupt(void) {
  if (!in_main_thread()) return &never;
  listen_for_interrupts();
  interrupted = 0;
  return &interrupted;
}

int ag_interrupt_init(void) {
  if (pthread_atfork(NULL, NULL, after_fork) == 0) return 0;
  PyErr_SetString(PyExc_OSError, "pthread_atfork failed");
  return -1;
}
