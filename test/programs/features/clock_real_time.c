/* what: CLOCK_REALTIME and CLOCK_TAI go on as those of one cluster, and keep their distance to each other */
/* spoil: began += 1000 * SECOND */
#include "../feature.h"

static long long began, tai_distance;

int main(void) {
  began = now(CLOCK_REALTIME);
  tai_distance = (now(CLOCK_TAI) - began + 500 * MILLISECOND) / SECOND;
  ready();
  long long real = now(CLOCK_REALTIME);
  within("real time passed in ns", real - began, 0, 120 * SECOND);
  equal("TAI minus UTC in seconds", (now(CLOCK_TAI) - real + 500 * MILLISECOND) / SECOND, tai_distance);
  pass();
}
