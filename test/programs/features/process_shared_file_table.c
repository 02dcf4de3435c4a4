/* what: two processes with one descriptor table (CLONE_FILES) */
/* needs: tree, refusable */
/* spoil: close(150) */
#include "../feature.h"

int main(void) {
  pid_t child = must(syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0));
  if (child == 0) {
    must(dup2(1, 150));
    wait_go();
    for (int nap = 0; nap < 10000 && fcntl(151, F_GETFD) < 0; nap++) usleep(1000);
    _exit(fcntl(151, F_GETFD) == 0 ? 0 : 4);
  }
  spawned[spawned_count++] = child;
  while (fcntl(150, F_GETFD) < 0) usleep(1000);
  ready();
  equal("the child's descriptor", fcntl(150, F_GETFD), 0);
  must(dup2(1, 151));
  join(child);
  pass();
}
