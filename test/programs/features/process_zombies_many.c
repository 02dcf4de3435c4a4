/* what: ten zombies with different ends, waited for one by one */
/* needs: family */
/* spoil: waitpid(children[4], NULL, 0) */
#include "../feature.h"

static void end(void *pointer) {
  long number = (long)pointer;
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  settled();
  if (number % 2) _exit(number);
  signal(SIGTERM, SIG_DFL);
  kill(getpid(), number % 4 ? SIGKILL : SIGTERM);
  for (;;) pause();
}

int main(void) {
  pid_t children[10];
  for (long i = 0; i < 10; i++) children[i] = spawn(end, (void *)i);
  for (int i = 0; i < 10; i++) until_state(children[i], 'Z');
  ready();
  for (int i = 9; i >= 0; i--) equal("wait status", wait_status(children[i]), i % 2 ? i << 8 : i % 4 ? SIGKILL : SIGTERM);
  refused(waitpid(-1, NULL, 0), ECHILD);
  pass();
}
