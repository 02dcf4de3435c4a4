/* what: alarm(): the remaining seconds */
/* spoil: alarm(500) */
#include "../feature.h"

int main(void) {
  long long armed = now(CLOCK_MONOTONIC);
  equal("alarm before", alarm(1000), 0);
  ready();
  long long elapsed = (now(CLOCK_MONOTONIC) - armed) / SECOND;
  within("remaining seconds of the alarm", alarm(0), 1000 - elapsed - 2, 1000 - elapsed + 1);
  pass();
}
