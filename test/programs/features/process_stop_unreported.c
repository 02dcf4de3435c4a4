/* what: a child that stopped, with the report still waiting for its parent */
/* needs: family */
/* spoil: waitpid(child, NULL, WUNTRACED) */
#include "../feature.h"

static void hold(void *unused) {
  (void)unused;
  /* A group of its own below this program's: nobody can say it is orphaned, and members of orphaned groups do not stop by SIGTSTP. */
  must(setpgid(0, 0));
  settled();
  for (;;) pause();
}

int main(void) {
  int status;
  pid_t child = spawn(hold, NULL);
  must(kill(child, SIGTSTP));
  until_state(child, 'T');
  ready();
  equal("pid", waitpid(child, &status, WNOHANG | WUNTRACED), child);
  equal("status", status, (SIGTSTP << 8) | 0x7f);
  equal("nothing more to report", waitpid(child, &status, WNOHANG | WUNTRACED), 0);
  must(kill(child, SIGKILL));
  equal("wait status", wait_status(child), SIGKILL);
  pass();
}
