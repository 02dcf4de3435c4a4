/* what: a thread with a descriptor table of its own (unshare(CLONE_FILES)) */
/* needs: refusable */
/* spoil: dup2(0, 200) */
#include "../feature.h"

static _Atomic int go, waiting;

static void *hold(void *unused) {
  (void)unused;
  must(unshare(CLONE_FILES));
  must(dup2(1, 201));
  waiting = 1;
  while (!go) usleep(1000);
  refused(fcntl(200, F_GETFD), EBADF);
  equal("own descriptor 201", fcntl(201, F_GETFD), 0);
  return NULL;
}

int main(void) {
  struct worker *worker = start(hold, NULL);
  while (!waiting) usleep(1000);
  ready();
  refused(fcntl(200, F_GETFD), EBADF);
  refused(fcntl(201, F_GETFD), EBADF);
  must(dup2(1, 200));
  go = 1;
  finish(worker);
  pass();
}
