/* what: an unnamed semaphore: its value, and threads waiting on another */
/* spoil: sem_post(&full) */
#include "../feature.h"
#include <semaphore.h>

static sem_t full, empty;
static _Atomic int taken;

static void *take(void *unused) {
  (void)unused;
  while (sem_wait(&empty) != 0) check(errno != EINTR, "sem_wait without EINTR, seen EINTR");
  taken++;
  return NULL;
}

int main(void) {
  struct worker *workers[3];
  int value;
  sem_init(&full, 0, 5);
  sem_init(&empty, 0, 0);
  for (int i = 0; i < 3; i++) workers[i] = start(take, NULL);
  for (int i = 0; i < 3; i++) until_blocked(workers[i]->tid, SYS_futex);
  ready();
  sem_getvalue(&full, &value);
  equal("value of the full semaphore", value, 5);
  equal("threads that took from the empty one", taken, 0);
  for (int i = 0; i < 3; i++) sem_post(&empty);
  for (int i = 0; i < 3; i++) finish(workers[i]);
  equal("threads that took", taken, 3);
  pass();
}
