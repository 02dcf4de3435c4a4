/* what: a child dies by the default action of a signal sent after the move */
/* needs: family */
/* spoil: kill(child, SIGKILL), usleep(50000) */
#include "../feature.h"

static void hold(void *unused) {
  (void)unused;
  settled();
  for (;;) pause();
}

int main(void) {
  pid_t child = spawn(hold, NULL);
  until_blocked(child, SYS_pause);
  ready();
  must(kill(child, SIGTERM));
  int status = wait_status(child);
  check(WIFSIGNALED(status), "an end by signal, seen status 0x%x", status);
  equal("signal that ended the child", WTERMSIG(status), SIGTERM);
  pass();
}
