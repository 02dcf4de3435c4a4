/* what: a process-directed signal chosen by no thread stays pending until one opens its mask */
/* spoil: opened = 2, usleep(20000) */
#include "../feature.h"

static _Atomic int opened;
static _Atomic pid_t receiver;
static _Atomic int count;

static void on_signal(int number) {
  (void)number;
  receiver = gettid();
  count++;
}

static void *hold(void *unused) {
  (void)unused;
  sigset_t one;
  while (!opened) usleep(1000);
  if (opened == 2) return NULL;
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  pthread_sigmask(SIG_UNBLOCK, &one, NULL);
  usleep(1000);
  return NULL;
}

int main(void) {
  sigset_t all;
  signal(SIGUSR1, on_signal);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, NULL);
  struct worker *worker = start(hold, NULL);
  must(kill(getpid(), SIGUSR1));
  ready();
  equal("deliveries while all threads block it", count, 0);
  if (!opened) opened = 1;
  finish(worker);
  equal("deliveries", count, 1);
  equal("receiving thread", receiver, worker->tid);
  pass();
}
