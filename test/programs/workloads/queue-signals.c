/* queue-signals PID COUNT [NUMBERS=4] [BATCH=0]: the sender of a storm: queues the values 0 .. COUNT-1 of each real-time signal to PID, waiting
   where the receiver's queue is full. With BATCH it reads a byte from stdin before each BATCH values. */
#include "../workload.h"

int main(int argc, char **argv) {
  if (argc < 3) fail("arguments PID COUNT, seen %d", argc - 1);
  pid_t target = number_argument(argc, argv, 1, 0);
  long count = number_argument(argc, argv, 2, 0), numbers = number_argument(argc, argv, 3, 4);
  long batch = number_argument(argc, argv, 4, 0);
  for (long value = 0; value < count; value++) {
    if (batch > 0 && value % batch == 0) equal("bytes read", read(0, &(char){0}, 1), 1);
    for (long i = 0; i < numbers; i++)
      while (sigqueue(target, SIGRTMIN + i, (union sigval){.sival_int = value}) != 0) {
        check(errno == EAGAIN, "sigqueue to work or be full, seen %s", strerror(errno));
        usleep(1000);
      }
  }
  pass_with("%ld signals sent", count * numbers);
}
