/* what: POSIX timers on CLOCK_REALTIME, MONOTONIC, BOOTTIME, TAI, PROCESS_CPUTIME and THREAD_CPUTIME: time left and interval */
/* spoil: timer_settime(timers[2], 0, &(struct itimerspec){.it_value = {50, 0}}, NULL) */
#include "../feature.h"

int main(void) {
  clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
  timer_t timers[6];
  long long armed = now(CLOCK_REALTIME), passed;
  for (int i = 0; i < 6; i++) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + i};
    must(timer_create(clocks[i], &event, &timers[i]));
    must(timer_settime(timers[i], 0, &(struct itimerspec){.it_value = {500 + i, 0}, .it_interval = {i + 1, 1000 * i}}, NULL));
  }
  ready();
  for (int i = 0; i < 6; i++) {
    struct itimerspec timer;
    must(timer_gettime(timers[i], &timer));
    passed = now(CLOCK_REALTIME) - armed;
    equal("interval in ns", nanoseconds_of(timer.it_interval), (i + 1) * SECOND + 1000 * i);
    long long left = nanoseconds_of(timer.it_value), full = (500 + i) * SECOND;
    /* Processor time hardly passes while the program waits. */
    if (i < 4) within("nanoseconds left", left, full - passed - 5 * MILLISECOND, full - passed + 500 * MILLISECOND);
    else within("processor time left in ns", left, full - 2 * SECOND, full + 10 * MILLISECOND);
  }
  pass();
}
