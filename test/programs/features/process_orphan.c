/* what: a grandchild whose parent dies after the move: it goes to the next subreaper */
/* needs: family */
/* spoil: prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) */
#include "../feature.h"
#include <sys/prctl.h>

static pid_t grandparent;

static void orphan(void *unused) {
  (void)unused;
  settled();
  for (int nap = 0; nap < 70000 && getppid() != grandparent; nap++) usleep(1000);
  _exit(getppid() == grandparent ? 33 : 34);
}

static void middle(void *unused) {
  (void)unused;
  spawn(orphan, NULL);
  settled();
  wait_go();
}

int main(void) {
  int status;
  grandparent = getpid();
  must(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
  pid_t child = spawn(middle, NULL);
  ready();
  join(child);
  pid_t adopted = waitpid(-1, &status, 0);
  check(adopted > 0 && adopted != child, "an adopted child, seen %d %s", adopted, strerror(errno));
  equal("its status", status, 33 << 8);
  int value = 0;
  must(prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0));
  equal("subreaper", value, 1);
  pass();
}
