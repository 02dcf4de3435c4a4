/* what: CLOCK_BOOTTIME neither jumps nor runs backwards */
/* spoil: before += 3 * SECOND */
#include "../feature.h"

int main(void) {
  long long real = now(CLOCK_REALTIME), before = now(CLOCK_BOOTTIME);
  ready();
  long long drift = (now(CLOCK_BOOTTIME) - before) - (now(CLOCK_REALTIME) - real);
  within("ns that the boot-time clock moved against the real one", drift, -200 * MILLISECOND, 200 * MILLISECOND);
  pass();
}
