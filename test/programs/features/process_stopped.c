/* what: a stopped child whose stop was already reported: it stays stopped until it is continued */
/* needs: family */
/* spoil: kill(child, SIGCONT) */
#include "../feature.h"

static void end(int number) { _exit(9 + 0 * number); }

static void hold(void *unused) {
  (void)unused;
  signal(SIGUSR1, end);
  settled();
  for (;;) pause();
}

int main(void) {
  int status;
  pid_t child = spawn(hold, NULL);
  must(kill(child, SIGSTOP));
  must(waitpid(child, &status, WUNTRACED));
  equal("status before", status, (SIGSTOP << 8) | 0x7f);
  ready();
  usleep(50000);
  until_state(child, 'T');
  equal("nothing more to report", waitpid(child, &status, WNOHANG | WUNTRACED | WCONTINUED), 0);
  must(kill(child, SIGCONT));
  equal("pid", waitpid(child, &status, WCONTINUED), child);
  equal("status of a continued child", status, 0xffff);
  must(kill(child, SIGUSR1));
  equal("wait status", wait_status(child), 9 << 8);
  pass();
}
