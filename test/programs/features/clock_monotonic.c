/* what: CLOCK_MONOTONIC neither jumps nor runs backwards, on nodes that booted at different times */
/* spoil: before += 3 * SECOND */
#include "../feature.h"

int main(void) {
  long long real = now(CLOCK_REALTIME), before = now(CLOCK_MONOTONIC);
  ready();
  long long drift = (now(CLOCK_MONOTONIC) - before) - (now(CLOCK_REALTIME) - real);
  within("ns that the monotonic clock moved against the real one", drift, -200 * MILLISECOND, 200 * MILLISECOND);
  pass();
}
