/* what: an ignored SIGCHLD: a child that ends after the move leaves no zombie */
/* needs: family */
/* spoil: signal(SIGCHLD, SIG_DFL) */
#include "../feature.h"

static void end_later(void *unused) {
  (void)unused;
  settled();
  wait_go();
  usleep(20000);
}

int main(void) {
  signal(SIGCHLD, SIG_IGN);
  pid_t child = spawn(end_later, NULL);
  ready();
  refused(waitpid(child, NULL, 0), ECHILD);
  refused(kill(child, 0), ESRCH);
  pass();
}
