/* what: a cancellation that waits until its thread allows it, and the cleanup handler it will run */
/* spoil: cleaned = 100 */
#include "../feature.h"

static _Atomic int go, waiting, cleaned;

static void clean(void *value) { cleaned += (long)value; }

static void *hold(void *unused) {
  (void)unused;
  int old;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
  pthread_cleanup_push(clean, (void *)5L);
  waiting = 1;
  while (!go) usleep(1000);
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
  pthread_testcancel();
  pthread_cleanup_pop(0);
  return NULL;
}

int main(void) {
  struct worker *worker = start(hold, NULL);
  while (!waiting) usleep(1000);
  pthread_cancel(worker->thread);
  ready();
  go = 1;
  equal("result of the cancelled thread", (long)finish(worker), (long)PTHREAD_CANCELED);
  equal("what the cleanup handler left", cleaned, 5);
  pass();
}
