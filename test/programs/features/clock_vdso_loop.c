/* what: threads that read the clocks in a tight loop through the vDSO while the process moves: never backwards, no jump */
/* needs: busy */
/* spoil: spoiled = 1 */
#include "../feature.h"

static _Atomic int stop, spoiled;

static void *read_clocks(void *unused) {
  (void)unused;
  static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME, CLOCK_MONOTONIC_COARSE};
  long long before[4], longest = 0;
  long laps = 0;
  for (int i = 0; i < 4; i++) before[i] = now(clocks[i]);
  for (; !stop; laps++)
    for (int i = 0; i < 4; i++) {
      long long time = now(clocks[i]) - (spoiled && i == 0 && laps % 2 ? SECOND : 0), gap = time - before[i];
      check(gap >= 0 || i == 2, "clock %d not before %lld, seen %lld", (int)clocks[i], before[i], time);
      if (gap > longest) longest = gap;
      before[i] = time;
    }
  check(laps > 100, "laps of the loop, seen %ld", laps);
  return (void *)longest;
}

int main(void) {
  struct worker *first = start(read_clocks, NULL), *second = start(read_clocks, NULL);
  ready();
  usleep(20000);
  stop = 1;
  within("longest gap in ns", (long)finish(first), 0, 5 * SECOND);
  within("longest gap in ns", (long)finish(second), 0, 5 * SECOND);
  pass();
}
