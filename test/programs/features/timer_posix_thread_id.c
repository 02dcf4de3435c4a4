/* what: POSIX timer with SIGEV_THREAD_ID: it signals its thread */
/* spoil: timer_settime(timer, 0, &(struct itimerspec){0}, NULL) */
#include "../feature.h"

static _Atomic pid_t receiver;
static _Atomic int ticks, stop;

static void on_tick(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  if (info->si_code != SI_TIMER || info->si_value.sival_int != 4711) return;
  receiver = gettid();
  ticks++;
}

static void *hold(void *unused) {
  (void)unused;
  while (!stop) usleep(1000);
  return NULL;
}

int main(void) {
  timer_t timer;
  struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
  must(sigaction(SIGRTMIN + 2, &action, NULL));
  struct worker *workers[3];
  for (int i = 0; i < 3; i++) workers[i] = start(hold, NULL);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 2, .sigev_value.sival_int = 4711};
  event._sigev_un._tid = workers[1]->tid;
  must(timer_create(CLOCK_MONOTONIC, &event, &timer));
  must(timer_settime(timer, 0, &(struct itimerspec){{0, 20 * MILLISECOND}, {0, 20 * MILLISECOND}}, NULL));
  ready();
  receiver = 0;
  int before = ticks;
  for (int nap = 0; nap < 3000 && ticks < before + 3; nap++) usleep(1000);
  check(ticks >= before + 3, "three more ticks, seen %d", ticks - before);
  equal("thread that received them", receiver, workers[1]->tid);
  must(timer_delete(timer));
  stop = 1;
  for (int i = 0; i < 3; i++) finish(workers[i]);
  pass();
}
