/* sleeper [SECONDS=0]: as small as a process can be: sleeps (0: until a stop), and checks that it slept its time, neither less nor much more. */
#include "../workload.h"

int main(int argc, char **argv) {
  long seconds = number_argument(argc, argv, 1, 0);
  prepare_stop();
  dprintf(1, "ready\n");
  if (seconds == 0)
    while (!stop_requested) usleep(100000);
  else {
    long long begin = now(CLOCK_MONOTONIC);
    must(nanosleep(&(struct timespec){.tv_sec = seconds}, NULL));
    within("nanoseconds slept", now(CLOCK_MONOTONIC) - begin, seconds * SECOND, (seconds + 2) * SECOND);
  }
  pass_with("slept");
}
