/* what: a timerfd on CLOCK_MONOTONIC: remaining time, interval and flags */
/* spoil: timerfd_settime(fd, 0, &(struct itimerspec){.it_value = {10, 0}}, NULL) */
#include "../feature.h"
#include <sys/timerfd.h>

int main(void) {
  struct itimerspec value = {.it_interval = {17, 500}, .it_value = {1000, 0}};
  int fd = must(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)), idle = must(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  must(timerfd_settime(fd, 0, &value, NULL));
  long long armed = now(CLOCK_MONOTONIC);
  ready();
  must(timerfd_gettime(fd, &value));
  within("ns elapsed and remaining", now(CLOCK_MONOTONIC) - armed + nanoseconds_of(value.it_value), 1000 * SECOND - 20 * MILLISECOND, 1000 * SECOND + 500 * MILLISECOND);
  equal("interval in ns", nanoseconds_of(value.it_interval), 17 * SECOND + 500);
  uint64_t count;
  refused(read(fd, &count, 8), EAGAIN);
  equal("FD_CLOEXEC", fcntl(fd, F_GETFD), FD_CLOEXEC);
  must(timerfd_gettime(idle, &value));
  equal("remaining ns of an idle timer", nanoseconds_of(value.it_value), 0);
  must(timerfd_settime(idle, 0, &(struct itimerspec){.it_value = {0, MILLISECOND}}, NULL));
  nap_milliseconds(20);
  equal("bytes read of the fired timer", read(idle, &count, 8), 8);
  pass();
}
