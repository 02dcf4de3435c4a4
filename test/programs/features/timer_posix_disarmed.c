/* what: timers that are not armed stay so, can be armed after the move, and tell whom they signal; SIGEV_NONE stays silent */
/* spoil: timer_settime(disarmed, 0, &(struct itimerspec){.it_value = {0, 1}}, NULL) */
#include "../feature.h"

int main(void) {
  timer_t disarmed, silent;
  sigset_t mask;
  siginfo_t info;
  struct itimerspec timer;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  sigaddset(&mask, SIGALRM);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  must(timer_create(CLOCK_BOOTTIME, &(struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = -5}, &disarmed));
  must(timer_create(CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = SIGEV_NONE}, &silent));
  must(timer_settime(silent, 0, &(struct itimerspec){.it_value = {0, 1000}}, NULL));
  usleep(2000);
  ready();
  must(timer_gettime(disarmed, &timer));
  equal("nanoseconds left of a timer that was never armed", nanoseconds_of(timer.it_value), 0);
  must(timer_gettime(silent, &timer));
  equal("nanoseconds left of a one-shot timer that has expired", nanoseconds_of(timer.it_value), 0);
  refused(sigtimedwait(&mask, &info, &(struct timespec){.tv_nsec = 100 * MILLISECOND}), EAGAIN);
  must(timer_settime(disarmed, 0, &(struct itimerspec){.it_value = {0, 1000000}}, NULL));
  equal("signal of the timer armed now", sigtimedwait(&mask, &info, &(struct timespec){10, 0}), SIGUSR2);
  equal("its value", info.si_value.sival_int, -5);
  pass();
}
