/* what: a process that forks 50 children after the move: new pids, all its own children */
/* spoil: parent++ */
#include "../feature.h"

static pid_t seen[50];

int main(void) {
  int before = open("/dev/null", O_RDONLY);
  pid_t parent = getpid();
  ready();
  for (int i = 0; i < 50; i++) {
    int status;
    pid_t child = must(fork());
    if (child == 0) _exit(getppid() == parent && getpid() != parent ? i : 255);
    equal("pid waited for", waitpid(child, &status, 0), child);
    equal("wait status", status, i << 8);
    for (int j = 0; j < i; j++) check(seen[j] != child && seen[j] != parent, "a new pid, seen %d again", seen[j]);
    seen[i] = child;
  }
  equal("descriptor of before", fcntl(before, F_GETFD), 0);
  pass();
}
