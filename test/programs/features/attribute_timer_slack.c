/* what: timer slack, another in each thread */
/* spoil: prctl(PR_SET_TIMERSLACK, 50000) */
#include "../feature.h"
#include <sys/prctl.h>

static _Atomic int prepared, go;

static void *hold(void *unused) {
  must(prctl(PR_SET_TIMERSLACK, 777777UL, 0, 0, 0));
  prepared = 1;
  while (!go) usleep(1000);
  equal("timer slack of the thread", prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 777777);
  return unused;
}

int main(void) {
  struct worker *worker = start(hold, NULL);
  while (!prepared) usleep(1000);
  must(prctl(PR_SET_TIMERSLACK, 123456UL, 0, 0, 0));
  ready();
  equal("timer slack", prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 123456);
  go = 1;
  finish(worker);
  pass();
}
