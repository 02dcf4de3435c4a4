/* what: a process that executes another program after the move: pid, descriptors, environment and ignored signals stay */
/* spoil: setenv("KRG_TEST", "other", 1) */
#include "../feature.h"

int main(int argc, char **argv) {
  if (argc == 3) {
    equal("pid", getpid(), atoi(argv[1]));
    equal("bytes read from the inherited pipe", read(atoi(argv[2]), (char[8]){0}, 8), 4);
    check(strcmp(getenv("KRG_TEST"), "kept") == 0, "kept, seen %s", getenv("KRG_TEST"));
    struct sigaction action;
    must(sigaction(SIGHUP, NULL, &action));
    check(action.sa_handler == SIG_IGN, "SIGHUP ignored, seen %p", action.sa_handler);
    pass();
  }
  int ends[2];
  char pid[16], fd[16];
  signal(SIGHUP, SIG_IGN);
  setenv("KRG_TEST", "kept", 1);
  must(pipe(ends));
  must(write(ends[1], "kept", 4));
  snprintf(pid, sizeof pid, "%d", getpid());
  snprintf(fd, sizeof fd, "%d", ends[0]);
  ready();
  must(execl("/proc/self/exe", "feature", pid, fd, NULL));
}
