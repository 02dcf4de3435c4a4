/* what: deep call stacks of threads that return after the move */
/* spoil: damage = 1 */
#include "../feature.h"

static _Atomic int waiting, go, damage;

static long __attribute__((noinline)) descend(long depth, long seed) {
  uint64_t values[40];
  fill(values, sizeof values, seed + depth);
  if (depth == 0) {
    waiting++;
    while (!go) usleep(1000);
  }
  long below = depth > 0 ? descend(depth - 1, seed) : 0;
  if (damage) values[7]++;
  verify("values in a frame", values, sizeof values, seed + depth);
  return below + 1;
}

static void *deep(void *seed) { return (void *)descend(500, (long)seed); }

int main(void) {
  struct worker *workers[4];
  for (long i = 0; i < 4; i++) workers[i] = start(deep, (void *)(i * 1000));
  while (waiting < 4) usleep(1000);
  ready();
  go = 1;
  for (int i = 0; i < 4; i++) equal("frames returned", (long)finish(workers[i]), 501);
  pass();
}
