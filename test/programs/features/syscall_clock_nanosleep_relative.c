/* what: the first thread blocked in clock_nanosleep for a time on CLOCK_BOOTTIME, moved in the middle of it */
/* needs: deadline */
/* spoil: syscall(SYS_tgkill, getpid(), getpid(), SIGURG) */
#include "../feature.h"

static void *tell(void *unused) {
  until_blocked(getpid(), SYS_clock_nanosleep);
  nap_milliseconds(2000);
  announce();
  return unused;
}

int main(void) {
  signal(SIGURG, no_action);
  struct worker *worker = start(tell, NULL);
  long long began = now(CLOCK_BOOTTIME);
  struct timespec time = timespec_of(3000 * MILLISECOND);
  int error = clock_nanosleep(CLOCK_BOOTTIME, 0, &time, NULL);
  check(error == 0, "clock_nanosleep to return 0, seen %s", strerror(error));
  within("nanoseconds slept", now(CLOCK_BOOTTIME) - began, 3000 * MILLISECOND, 4900 * MILLISECOND);
  finish(worker);
  pass();
}
