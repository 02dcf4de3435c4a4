/* what: 64 threads, each with values on its stack */
/* spoil: count-- */
#include "../feature.h"

enum { THREADS = 64 };
static _Atomic int waiting, go;
static int count = THREADS;

static void *hold(void *index) {
  uint64_t values[256];
  fill(values, sizeof values, (long)index);
  waiting++;
  while (!go) usleep(2000);
  verify("values on the stack", values, sizeof values, (long)index);
  return (void *)1L;
}

int main(void) {
  struct worker *workers[THREADS];
  for (long i = 0; i < THREADS; i++) workers[i] = start(hold, (void *)i);
  while (waiting < THREADS) usleep(1000);
  ready();
  go = 1;
  long sum = 0;
  for (int i = 0; i < count; i++) sum += (long)finish(workers[i]);
  equal("threads that ended well", sum, THREADS);
  pass();
}
