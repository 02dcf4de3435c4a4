/* what: the ids of POSIX timers, with gaps between them */
/* spoil: timer_delete(timers[6]) */
#include "../feature.h"

int main(void) {
  int timers[9]; /* the kernel's ids, without the C library's disguise */
  struct itimerspec value;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  for (int i = 0; i < 9; i++) must(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timers[i]));
  for (int i = 1; i < 9; i += 3) must(syscall(SYS_timer_delete, timers[i]));
  for (int i = 0; i < 9; i++)
    if (i % 3 != 1) must(syscall(SYS_timer_settime, timers[i], 0, &(struct itimerspec){{i + 1, 0}, {1000 + i, 0}}, NULL));
  ready();
  for (int i = 0; i < 9; i++)
    if (i % 3 == 1)
      refused(syscall(SYS_timer_gettime, timers[i], &value), EINVAL);
    else {
      must(syscall(SYS_timer_gettime, timers[i], &value));
      equal("interval of the timer with this id", value.it_interval.tv_sec, i + 1);
    }
  int another;
  must(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &another));
  for (int i = 0; i < 9; i++) check(i % 3 == 1 || another != timers[i], "a free id for a new timer, seen %d again", another);
  pass();
}
