/* what: threads waiting at a barrier that one more has to reach */
/* spoil: passed++ */
#include "../feature.h"

static pthread_barrier_t barrier;
static _Atomic int passed, serial;

static void *reach(void *unused) {
  (void)unused;
  if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) serial++;
  passed++;
  return NULL;
}

int main(void) {
  struct worker *workers[5];
  pthread_barrier_init(&barrier, NULL, 6);
  for (int i = 0; i < 5; i++) workers[i] = start(reach, NULL);
  for (int i = 0; i < 5; i++) until_blocked(workers[i]->tid, SYS_futex);
  ready();
  equal("threads that passed too early", passed, 0);
  if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) serial++;
  for (int i = 0; i < 5; i++) finish(workers[i]);
  equal("serial threads", serial, 1);
  pass();
}
