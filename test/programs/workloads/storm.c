/* storm COUNT [NUMBERS=4] [LATE=0] [LIMIT=0]: receives real-time signals SIGRTMIN .. SIGRTMIN+NUMBERS-1, for each the values 0 .. COUNT-1
   (sigqueue, si_int), all from one process. A value doubled or unknown fails at once, one lost at the end; those out of order are counted. With LATE=1 the signals stay blocked and queue up
   until the file named by KRG_GO exists. LIMIT is the most that may wait (RLIMIT_SIGPENDING), 0 for as many as the user may have.
   Prints "ready" when it may be sent to, "received N" every 1,000. */
#include "../workload.h"

int main(int argc, char **argv) {
  long count = number_argument(argc, argv, 1, 10000), numbers = number_argument(argc, argv, 2, 4), received = 0;
  long limit = number_argument(argc, argv, 4, 0);
  pid_t sender = 0;
  long next[32] = {0}, disorder = 0;
  char *seen = calloc(count * numbers, 1);
  sigset_t mask;
  within("numbers", numbers, 1, SIGRTMAX - SIGRTMIN + 1);
  sigemptyset(&mask);
  for (long i = 0; i < numbers; i++) sigaddset(&mask, SIGRTMIN + i);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  if (limit > 0) must(setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){limit, limit}));
  prepare_stop();
  dprintf(1, "ready\n");
  if (number_argument(argc, argv, 3, 0) != 0) wait_go();
  while (received < count * numbers) {
    siginfo_t info;
    int number = sigwaitinfo(&mask, &info);
    if (number < 0 && errno == EINTR && stop_requested) fail("%ld signals, seen %ld when told to stop", count * numbers, received);
    check(number > 0, "a signal, seen %s", strerror(errno));
    long index = number - SIGRTMIN;
    long value = info.si_value.sival_int;
    within("value", value, 0, count - 1);
    if (seen[index * count + value]++) fail("value %ld of signal %ld once, seen it again", value, index);
    if (sender == 0) sender = info.si_pid;
    equal("si_code", info.si_code, SI_QUEUE);
    equal("si_pid", info.si_pid, sender);
    equal("si_uid", info.si_uid, getuid());
    disorder += value != next[index];
    next[index] = value + 1;
    if (++received % 1000 == 0) dprintf(1, "received %ld\n", received);
  }
  siginfo_t extra;
  refused(sigtimedwait(&mask, &extra, &(struct timespec){.tv_nsec = 200 * MILLISECOND}), EAGAIN);
  pass_with("%ld signals from %d, %ld out of order", received, sender, disorder);
}
