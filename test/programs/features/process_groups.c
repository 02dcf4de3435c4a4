/* what: children in two process groups: a signal to a group reaches its members and nobody else */
/* needs: family */
/* spoil: setpgid(children[2], 0) */
#include "../feature.h"

static pid_t leaders[2];

static void hold(void *pointer) {
  long index = (long)pointer;
  must(setpgid(0, leaders[index % 2]));
  settled();
  for (;;) pause();
}

int main(void) {
  pid_t children[6];
  for (long i = 0; i < 6; i++) {
    children[i] = spawn(hold, (void *)i);
    if (i < 2) leaders[i] = children[i];
  }
  ready();
  for (int i = 0; i < 6; i++) equal("group of a child", getpgid(children[i]), leaders[i % 2]);
  must(kill(-leaders[0], SIGUSR1));
  for (int i = 0; i < 6; i += 2) equal("status of a member", wait_status(children[i]), SIGUSR1);
  equal("nobody of the other group has ended", waitpid(-leaders[1], NULL, WNOHANG), 0);
  must(kill(-leaders[1], SIGUSR2));
  for (int i = 1; i < 6; i += 2) {
    int status;
    pid_t child = must(waitpid(-leaders[1], &status, 0));
    equal("status of a member of the other group", status, SIGUSR2);
    check(child == children[1] || child == children[3] || child == children[5], "a member of the other group, seen %d", child);
  }
  refused(waitpid(-1, NULL, 0), ECHILD);
  pass();
}
