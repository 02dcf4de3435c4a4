/* what: real-time signals that a thread keeps queueing while the process moves: none lost, doubled or out of order */
/* needs: busy */
/* spoil: ({ while (sigwaitinfo(&mask, NULL) < 0); }) */
#include "../feature.h"

static _Atomic int stop;
static sigset_t mask;

static void *queue(void *unused) {
  (void)unused;
  long value = 0;
  while (!stop)
    if (sigqueue(getpid(), SIGRTMIN + 5, (union sigval){.sival_ptr = (void *)value}) == 0) {
      /* A process with several threads moves when none waits: who takes them must come after, whoever has the processors. */
      if (++value % 16 == 0) usleep(1000);
    } else
      check(errno == EAGAIN, "sigqueue to work or be full, seen %s", strerror(errno));
  return (void *)value;
}

static void *take(void *unused) {
  (void)unused;
  siginfo_t info;
  for (long value = 0;; value++) {
    must(sigwaitinfo(&mask, &info));
    if (info.si_signo == SIGRTMIN + 6) return (void *)value;
    equal("value", (long)info.si_value.sival_ptr, value);
  }
}

int main(void) {
  sigemptyset(&mask);
  sigaddset(&mask, SIGRTMIN + 5);
  sigaddset(&mask, SIGRTMIN + 6);
  pthread_sigmask(SIG_BLOCK, &mask, NULL);
  struct worker *taker = start(take, NULL), *sender = start(queue, NULL);
  ready();
  usleep(20000);
  stop = 1;
  long sent = (long)finish(sender);
  /* A higher number is delivered after all lower ones. */
  must(sigqueue(getpid(), SIGRTMIN + 6, (union sigval){0}));
  long taken = (long)finish(taker);
  equal("signals taken", taken, sent);
  pass();
}
