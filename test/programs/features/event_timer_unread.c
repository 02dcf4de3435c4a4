/* what: expirations of a timerfd that nobody has read yet are counted across the move */
/* spoil: read(fd, &count, 8) */
#include "../feature.h"
#include <sys/timerfd.h>

int main(void) {
  uint64_t count = 0;
  int fd = must(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)), once = must(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  long long begin = now(CLOCK_MONOTONIC);
  must(timerfd_settime(fd, 0, &(struct itimerspec){{0, 10 * MILLISECOND}, {0, 10 * MILLISECOND}}, NULL));
  must(timerfd_settime(once, 0, &(struct itimerspec){.it_value = {0, 1}}, NULL));
  nap_milliseconds(300);
  ready();
  must(read(fd, &count, 8));
  long long due = (now(CLOCK_MONOTONIC) - begin) / (10 * MILLISECOND);
  within("expirations", count, due - 2, due);
  must(read(once, &count, 8));
  equal("expirations of the one-shot timer", count, 1);
  refused(read(once, &count, 8), EAGAIN);
  pass();
}
