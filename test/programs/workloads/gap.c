/* gap [SLEEP_US=0] [RESULT_FILE] [MIB=0] [THREADS=1] [FILES=0]: reads CLOCK_REALTIME in a tight loop (or between sleeps of that length) and keeps the longest gap: the
   downtime of a move as the program itself sees it. On SIGUSR1 it prints "gap NS" and starts over; with RESULT_FILE the longest
   gap in ns also stands there as an int64, mapped shared. Beside that it has MIB of memory, with contents that are checked at the end, further
   threads that nap a millisecond at a time and count, and open files, RESULT_FILE.N, with an offset each, checked at the end. */
#include "../workload.h"

static _Atomic int report_requested;

static void on_report(int number) {
  (void)number;
  report_requested = 1;
}

static void *count_naps(void *pointer) {
  long *naps = pointer;
  for (; !stop_requested; (*naps)++) nap_milliseconds(1);
  return NULL;
}

int main(int argc, char **argv) {
  long sleep_microseconds = number_argument(argc, argv, 1, 0);
  static _Atomic int64_t own_result;
  _Atomic int64_t *longest = &own_result;
  if (argc > 2) {
    int fd = must(open(argv[2], O_RDWR | O_CREAT, 0666));
    must(ftruncate(fd, PAGE));
    longest = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    close(fd);
  }
  size_t size = number_argument(argc, argv, 3, 0) * MIB;
  long threads = number_argument(argc, argv, 4, 1), files = number_argument(argc, argv, 5, 0);
  char *memory = size == 0 ? NULL : map_anonymous(size, PROT_READ | PROT_WRITE);
  for (size_t at = 0; at < size; at += MIB) fill(memory + at, MIB, at);
  int *fds = calloc(files + 1, sizeof *fds);
  for (long i = 0; i < files; i++) {
    char path[300];
    snprintf(path, sizeof path, "%s.%ld", argv[2], i);
    fds[i] = must(open(path, O_RDWR | O_CREAT, 0666));
    must(lseek(fds[i], i, SEEK_SET));
  }
  long *naps = calloc(threads, sizeof *naps);
  prepare_stop();
  for (long i = 1; i < threads; i++) start(count_naps, &naps[i]);
  struct sigaction report = {.sa_handler = on_report, .sa_flags = SA_RESTART};
  must(sigaction(SIGUSR1, &report, NULL));
  dprintf(1, "ready\n");
  long long before = now(CLOCK_REALTIME), monotonic_before = now(CLOCK_MONOTONIC);
  for (long lap = 1; !stop_requested; lap++) {
    if (sleep_microseconds > 0) usleep(sleep_microseconds);
    long long time = now(CLOCK_REALTIME), monotonic = now(CLOCK_MONOTONIC);
    if (monotonic < monotonic_before) fail("a monotonic clock, seen %lld after %lld", monotonic, monotonic_before);
    if (time - before > *longest) *longest = time - before;
    before = time;
    monotonic_before = monotonic;
    if (report_requested) {
      report_requested = 0;
      dprintf(1, "gap %ld\n", (long)*longest);
      *longest = 0;
      before = now(CLOCK_REALTIME);
    }
    if (lap % 4096 == 0) stopped();
  }
  for (size_t at = 0; at < size; at += MIB) verify("memory", memory + at, MIB, at);
  for (long i = 0; i < files; i++) equal("offset", lseek(fds[i], 0, SEEK_CUR), i);
  pass_with("longest gap %ld ns", (long)*longest);
}
