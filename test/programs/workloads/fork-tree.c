/* fork-tree [PROCESSES=20] [WORK_MS=50]: one parent and its tree of working processes (each child has up to two children of its own). Every
   process repeats: chain a hash, check its memory, its parent and its group, nap. On stop each ends with the low 7 bits of its number as status; its
   parent checks that. The root prints "round N" after each of its rounds. */
#include "../workload.h"

static long processes, work_milliseconds;

static int run(long number, pid_t parent, pid_t group) {
  pid_t children[2] = {0, 0};
  pid_t self = getpid();
  for (int i = 0; i < 2; i++) {
    long child_number = number * 2 + i + 1;
    if (child_number >= processes) continue;
    children[i] = must(fork());
    if (children[i] == 0) _exit(run(child_number, self, group));
  }
  char *memory = map_anonymous(64 * KIB, PROT_READ | PROT_WRITE);
  uint64_t chain = number + 1;
  for (long round = 0;; round++) {
    fill(memory, 64 * KIB, chain);
    nap_milliseconds(work_milliseconds);
    verify("memory of a process in the tree", memory, 64 * KIB, chain);
    next_random(&chain);
    equal("getpid()", getpid(), self);
    equal("getppid()", getppid(), parent);
    equal("getpgrp()", getpgrp(), group);
    if (number == 0) dprintf(1, "round %ld\n", round + 1);
    if (stopped()) break;
  }
  for (int i = 0; i < 2; i++) {
    if (children[i] == 0) continue;
    int status;
    kill(children[i], SIGTERM);
    while (waitpid(children[i], &status, 0) != children[i]) check(errno == EINTR, "waitpid to work, seen %s", strerror(errno));
    check(WIFEXITED(status), "process %ld to exit, seen status 0x%x", number * 2 + i + 1, status);
    equal("exit status of a process in the tree", WEXITSTATUS(status), (number * 2 + i + 1) & 0x7f);
  }
  return number & 0x7f;
}

int main(int argc, char **argv) {
  processes = number_argument(argc, argv, 1, 20);
  work_milliseconds = number_argument(argc, argv, 2, 50);
  prepare_stop();
  setpgid(0, 0);
  dprintf(1, "ready\n");
  run(0, getppid(), getpgrp());
  pass_with("%ld processes", processes);
}
