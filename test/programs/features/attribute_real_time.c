/* what: real-time policies with their priority: SCHED_FIFO, SCHED_RR */
/* needs: root */
/* spoil: sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}) */
#include "../feature.h"

static _Atomic int prepared, go;

static void *hold(void *unused) {
  struct sched_param param = {.sched_priority = 2}, seen;
  must(sched_setscheduler(0, SCHED_FIFO, &param));
  prepared = 1;
  while (!go) usleep(1000);
  equal("policy of the thread", sched_getscheduler(0), SCHED_FIFO);
  must(sched_getparam(0, &seen));
  equal("priority of the thread", seen.sched_priority, 2);
  return unused;
}

int main(void) {
  struct sched_param param = {.sched_priority = 7}, seen;
  if (sched_setscheduler(0, SCHED_RR, &param) != 0) skip("SCHED_RR: %s", strerror(errno));
  must(sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}));
  struct worker *worker = start(hold, NULL);
  while (!prepared) usleep(1000);
  must(sched_setscheduler(0, SCHED_RR, &param));
  ready();
  equal("policy", sched_getscheduler(0), SCHED_RR);
  must(sched_getparam(0, &seen));
  equal("priority", seen.sched_priority, 7);
  go = 1;
  finish(worker);
  pass();
}
