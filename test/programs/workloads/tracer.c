/* tracer PID: traces a process, as a debugger does, until it is told to stop. It prints "ready" when it does. */
#include "../workload.h"
#include <sys/ptrace.h>

int main(int argc, char **argv) {
  pid_t traced = number_argument(argc, argv, 1, 0);
  prepare_stop();
  must(ptrace(PTRACE_SEIZE, traced, NULL, NULL));
  say_ready();
  while (!stop_requested) usleep(10000);
  pass_with("traced %d", traced);
}
