/* what: a child that has exited and was not waited for */
/* needs: family */
/* spoil: waitpid(child, NULL, 0) */
#include "../feature.h"

static void end(void *unused) {
  (void)unused;
  settled();
  _exit(7);
}

int main(void) {
  pid_t child = spawn(end, NULL);
  until_state(child, 'Z');
  ready();
  until_state(child, 'Z');
  equal("wait status", wait_status(child), 7 << 8);
  refused(kill(child, 0), ESRCH);
  pass();
}
