/* what: a thread waiting in pthread_join, and another that ends after the move (the kernel clears its id and wakes the first) */
/* spoil: go = 2 */
#include "../feature.h"

static _Atomic int go;

static void *hold(void *unused) {
  (void)unused;
  while (!go) usleep(1000);
  return (void *)(long)(go == 1 ? 11 : 12);
}

static void *join_it(void *target) {
  void *result;
  pthread_join(*(pthread_t *)target, &result);
  return result;
}

int main(void) {
  struct worker *first = start(hold, NULL), *second = start(join_it, &first->thread);
  until_blocked(second->tid, SYS_futex);
  ready();
  go |= 1;
  equal("result passed through both threads", (long)finish(second), 11);
  pass();
}
