/* what: an orphan adopted by a subreaper before the move */
/* needs: family */
/* spoil: waitpid(-1, NULL, 0) */
#include "../feature.h"
#include <sys/prctl.h>

static void orphan(void *unused) {
  (void)unused;
  settled();
  wait_go();
  usleep(20000);
  _exit(21);
}

static void middle(void *unused) {
  (void)unused;
  spawn(orphan, NULL);
  settled();
}

int main(void) {
  int status;
  must(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
  join(spawn(middle, NULL));
  ready();
  check(waitpid(-1, &status, 0) > 0, "the adopted child, seen %s", strerror(errno));
  equal("its status", status, 21 << 8);
  pass();
}
