/* what: a child that was continued, with the report still waiting for its parent */
/* needs: family */
/* spoil: waitpid(child, NULL, WCONTINUED) */
#include "../feature.h"

static void hold(void *unused) {
  (void)unused;
  settled();
  for (;;) pause();
}

int main(void) {
  int status;
  pid_t child = spawn(hold, NULL);
  must(kill(child, SIGSTOP));
  must(waitpid(child, &status, WUNTRACED));
  must(kill(child, SIGCONT));
  ready();
  equal("pid", waitpid(child, &status, WNOHANG | WCONTINUED), child);
  equal("status", status, 0xffff);
  equal("nothing more to report", waitpid(child, &status, WNOHANG | WCONTINUED), 0);
  must(kill(child, SIGKILL));
  equal("wait status", wait_status(child), SIGKILL);
  pass();
}
