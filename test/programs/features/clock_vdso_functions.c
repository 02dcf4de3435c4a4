/* what: every vDSO function gives what the system call gives: clock_gettime, gettimeofday, time, clock_getres, getcpu */
/* spoil: skew = 60 * SECOND */
#include "../feature.h"
#include <sys/time.h>

static long long skew;

static void compare(clockid_t clock) {
  struct timespec before, after;
  must(syscall(SYS_clock_gettime, clock, &before));
  long long through_vdso = now(clock) + skew;
  must(syscall(SYS_clock_gettime, clock, &after));
  within("the clock through the vDSO", through_vdso, nanoseconds_of(before) - 10 * MILLISECOND, nanoseconds_of(after) + 10 * MILLISECOND);
}

static void compare_all(void) {
  struct timeval day, day_by_call;
  struct timespec resolution, resolution_by_call;
  compare(CLOCK_REALTIME);
  compare(CLOCK_MONOTONIC);
  compare(CLOCK_BOOTTIME);
  compare(CLOCK_TAI);
  must(gettimeofday(&day, NULL));
  must(syscall(SYS_gettimeofday, &day_by_call, NULL));
  within("gettimeofday in us", (day_by_call.tv_sec - day.tv_sec) * 1000000 + day_by_call.tv_usec - day.tv_usec, 0, 1000000);
  within("time", syscall(SYS_time, NULL) - time(NULL), -1, 1);
  must(clock_getres(CLOCK_MONOTONIC, &resolution));
  must(syscall(SYS_clock_getres, CLOCK_MONOTONIC, &resolution_by_call));
  equal("clock_getres in ns", nanoseconds_of(resolution), nanoseconds_of(resolution_by_call));
  within("getcpu", sched_getcpu(), 0, sysconf(_SC_NPROCESSORS_CONF) - 1);
}

int main(void) {
  compare_all();
  ready();
  compare_all();
  pass();
}
