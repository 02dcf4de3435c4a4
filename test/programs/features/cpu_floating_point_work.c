/* what: threads computing with floating point, vectors and x87 while they move: bit for bit the same results */
/* needs: busy */
/* spoil: damage = 1e-9 */
#include "../feature.h"
#include <fenv.h>
#include <math.h>

static _Atomic int stop;
static volatile double damage;

/* A long chain of operations whose result depends on each of them. */
static double chain(long kind) {
  double value = 1.0 + kind;
  long double extended = 1.0L + kind;
  float vector[16];
  for (int i = 0; i < 16; i++) vector[i] = i + kind;
  for (int i = 1; i < 20000; i++) {
    value = sqrt(value * 1.000001 + 1.0 / i) + damage;
    extended = extended * 0.999999L + 1.0L / i;
    for (int j = 0; j < 16; j++) vector[j] = vector[j] * 0.5f + (float)j / i;
  }
  return value + (double)extended + vector[7];
}

static void *work(void *pointer) {
  long kind = (long)pointer, rounds = 0;
  static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  fesetround(modes[kind]);
  double expected = chain(kind);
  do {
    double seen = chain(kind);
    check(memcmp(&seen, &expected, sizeof seen) == 0, "%.17g, seen %.17g", expected, seen);
    rounds++;
  } while (!stop);
  return (void *)rounds;
}

int main(void) {
  struct worker *workers[4];
  for (long i = 0; i < 4; i++) workers[i] = start(work, (void *)i);
  usleep(50000);
  ready();
  usleep(100000);
  stop = 1;
  for (int i = 0; i < 4; i++) check((long)finish(workers[i]) > 0, "rounds, seen none");
  pass();
}
