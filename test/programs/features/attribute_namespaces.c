/* what: namespaces of the program's own: host name and System V objects */
/* needs: root, refusable */
/* spoil: sethostname("other", 5) */
#include "../feature.h"
#include <sys/ipc.h>
#include <sys/msg.h>

int main(void) {
  char name[64] = {0};
  if (unshare(CLONE_NEWUTS | CLONE_NEWIPC) != 0) skip("no namespaces: %s", strerror(errno));
  must(sethostname("feature", 7));
  int queue = must(msgget(0x4b5247, IPC_CREAT | IPC_EXCL | 0600));
  ready();
  must(gethostname(name, sizeof name));
  check(strcmp(name, "feature") == 0, "host name feature, seen %s", name);
  equal("message queue", msgget(0x4b5247, 0), queue);
  pass();
}
