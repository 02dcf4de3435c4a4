/* what: nice value and scheduling policy of each thread: SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, with reset-on-fork */
/* spoil: setpriority(PRIO_PROCESS, 0, 19) */
#include "../feature.h"

static const int policies[] = {SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_BATCH | SCHED_RESET_ON_FORK};
static _Atomic int prepared, go;

static void *hold(void *argument) {
  int number = (int)(long)argument;
  struct sched_param none = {0};
  must(sched_setscheduler(0, policies[number], &none));
  must(setpriority(PRIO_PROCESS, gettid(), 3 + number));
  prepared++;
  while (!go) usleep(1000);
  equal("policy of the thread", sched_getscheduler(0), policies[number]);
  equal("nice value of the thread", getpriority(PRIO_PROCESS, gettid()), 3 + number);
  return NULL;
}

int main(void) {
  struct worker *workers[4];
  for (long i = 0; i < 4; i++) workers[i] = start(hold, (void *)i);
  while (prepared < 4) usleep(1000);
  must(setpriority(PRIO_PROCESS, 0, 11));
  ready();
  equal("nice value", getpriority(PRIO_PROCESS, 0), 11);
  equal("policy", sched_getscheduler(0), SCHED_OTHER);
  go = 1;
  for (int i = 0; i < 4; i++) finish(workers[i]);
  pass();
}
