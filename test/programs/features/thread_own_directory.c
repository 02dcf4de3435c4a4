/* what: a thread with a working directory and umask of its own (unshare(CLONE_FS)) */
/* needs: refusable */
/* spoil: chdir("/usr") */
#include "../feature.h"

static _Atomic int go, waiting;

static void *hold(void *unused) {
  (void)unused;
  char path[PATH_MAX];
  must(unshare(CLONE_FS));
  must(chdir("/etc"));
  umask(0123);
  waiting = 1;
  while (!go) usleep(1000);
  check(strcmp(getcwd(path, sizeof path), "/etc") == 0, "the thread in /etc, seen %s", path);
  equal("umask of the thread", umask(0), 0123);
  return NULL;
}

int main(void) {
  char path[PATH_MAX];
  must(chdir("/"));
  umask(027);
  struct worker *worker = start(hold, NULL);
  while (!waiting) usleep(1000);
  ready();
  check(strcmp(getcwd(path, sizeof path), "/") == 0, "the main thread in /, seen %s", path);
  equal("umask of the main thread", umask(0), 027);
  go = 1;
  finish(worker);
  pass();
}
