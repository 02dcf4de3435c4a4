/* what: a child that its parent traces (ptrace) */
/* needs: tree, refusable */
/* spoil: ptrace(PTRACE_DETACH, child, NULL, NULL) */
#include "../feature.h"
#include <sys/ptrace.h>

static void hold(void *unused) {
  (void)unused;
  settled();
  for (;;) pause();
}

int main(void) {
  int status;
  long event = 0;
  pid_t child = spawn(hold, NULL);
  until_blocked(child, SYS_pause);
  must(ptrace(PTRACE_SEIZE, child, NULL, NULL));
  must(ptrace(PTRACE_INTERRUPT, child, NULL, NULL));
  must(waitpid(child, &status, 0));
  ready();
  must(ptrace(PTRACE_GETEVENTMSG, child, NULL, &event));
  must(ptrace(PTRACE_DETACH, child, NULL, NULL));
  must(kill(child, SIGKILL));
  equal("wait status", wait_status(child), SIGKILL);
  pass();
}
