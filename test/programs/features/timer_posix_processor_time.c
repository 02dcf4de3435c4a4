/* what: POSIX timer on the processor time of the process: remaining time, and that it fires */
/* spoil: timer_settime(timer, 0, &(struct itimerspec){0}, NULL) */
#include "../feature.h"

int main(void) {
  timer_t timer, far;
  sigset_t mask;
  struct itimerspec value = {.it_value = {0, 200 * MILLISECOND}};
  signal(SIGALRM, SIG_DFL);
  sigemptyset(&mask);
  sigaddset(&mask, SIGALRM);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  must(timer_create(CLOCK_PROCESS_CPUTIME_ID, NULL, &timer));
  must(timer_settime(timer, 0, &value, NULL));
  must(timer_create(CLOCK_PROCESS_CPUTIME_ID, NULL, &far));
  must(timer_settime(far, 0, &(struct itimerspec){.it_value = {600, 0}}, NULL));
  ready();
  must(timer_gettime(far, &value));
  within("remaining ms of the far timer", nanoseconds_of(value.it_value) / MILLISECOND, 590000, 600000);
  long long until = now(CLOCK_PROCESS_CPUTIME_ID) + 5 * SECOND;
  sigset_t pending;
  do {
    for (volatile int spin = 0; spin < 100000; spin++) {}
    sigpending(&pending);
  } while (!sigismember(&pending, SIGALRM) && now(CLOCK_PROCESS_CPUTIME_ID) < until);
  check(sigismember(&pending, SIGALRM), "the timer to fire after 200 ms of work, seen it silent for 5 s of it");
  pass();
}
