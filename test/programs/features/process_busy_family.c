/* what: a shell-like loop that forks and waits all the time while it moves */
/* needs: family, busy */
/* spoil: waitpid(-1, NULL, 0), kill(getpid(), SIGTERM) */
#include "../feature.h"

int main(void) {
  announce();
  int rounds = 0;
  for (bool last = false; !last; rounds++) {
    last = gone();
    int status, number = rounds % 100;
    pid_t child = must(fork());
    if (child == 0) _exit(number);
    equal("pid waited for", waitpid(-1, &status, 0), child);
    equal("wait status", status, number << 8);
    refused(waitpid(-1, NULL, WNOHANG), ECHILD);
  }
  check(rounds > 0, "rounds, seen none");
  pass();
}
