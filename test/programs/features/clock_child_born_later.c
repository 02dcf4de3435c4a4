/* what: a child forked after the move has the same clocks as its parent */
/* spoil: base -= 5 * SECOND */
#include "../feature.h"

static long long base;

static void look(void *unused) {
  (void)unused;
  settled();
  within("ns since the parent's reading", now(CLOCK_MONOTONIC) - base, 0, 2 * SECOND);
}

int main(void) {
  now(CLOCK_MONOTONIC);
  base = now(CLOCK_MONOTONIC);
  long long start_real = now(CLOCK_REALTIME);
  ready();
  base += now(CLOCK_REALTIME) - start_real;
  join(spawn(look, NULL));
  must(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : -1);
  pass();
}
