/* what: a stopped child for which a signal waits that will end it: it lives until it is continued */
/* needs: family */
/* spoil: kill(child, SIGCONT) */
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
  must(kill(child, SIGUSR1));
  ready();
  usleep(50000);
  equal("nothing to report", waitpid(child, &status, WNOHANG | WUNTRACED | WCONTINUED), 0);
  until_state(child, 'T');
  must(kill(child, SIGCONT));
  equal("wait status", wait_status(child), SIGUSR1);
  pass();
}
