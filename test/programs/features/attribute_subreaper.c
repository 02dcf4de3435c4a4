/* what: child subreaper: orphans born after the move become its children */
/* spoil: prctl(PR_SET_CHILD_SUBREAPER, 0) */
#include "../feature.h"
#include <sys/prctl.h>

int main(void) {
  int on = 0, status, ends[2];
  must(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
  ready();
  must(prctl(PR_GET_CHILD_SUBREAPER, &on, 0, 0, 0));
  equal("subreaper", on, 1);
  must(pipe(ends));
  pid_t child = must(fork());
  if (child == 0) {
    pid_t grandchild = fork();
    if (grandchild == 0) {
      usleep(50000);
      _exit(17);
    }
    if (write(ends[1], &grandchild, sizeof grandchild) != sizeof grandchild) _exit(1);
    _exit(0);
  }
  pid_t grandchild;
  equal("bytes of the grandchild's id", read(ends[0], &grandchild, sizeof grandchild), sizeof grandchild);
  equal("child", must(waitpid(child, &status, 0)), child);
  equal("orphan", must(waitpid(grandchild, &status, 0)), grandchild);
  equal("its exit status", WEXITSTATUS(status), 17);
  pass();
}
