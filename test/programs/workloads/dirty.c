/* dirty MIB PAGES_PER_SECOND RESULT_FILE: maps MIB, touches every page, then writes to that many pages per second, evenly over time and
   over the memory; each page holds its own counter, which is checked before it is written. Its longest gap on CLOCK_REALTIME stands
   in RESULT_FILE, mapped shared: int64 longest gap in ns, int64 time of its end (ns since 1970), int64 pages written, int64 laps of the loop.
   SIGUSR1 sets the longest gap back to 0. Prints "ready" when every page is touched. */
#include "../workload.h"

struct result {
  _Atomic int64_t longest_gap, gap_end, pages_written, laps;
};

static struct result *result;
static _Atomic int reset_requested;

static void on_reset(int number) {
  (void)number;
  reset_requested = 1;
}

int main(int argc, char **argv) {
  if (argc < 4) fail("arguments MIB PAGES_PER_SECOND RESULT_FILE, seen %d", argc - 1);
  size_t pages = number_argument(argc, argv, 1, 64) * MIB / PAGE;
  long rate = number_argument(argc, argv, 2, 0);
  int fd = must(open(argv[3], O_RDWR | O_CREAT, 0666));
  must(ftruncate(fd, PAGE));
  result = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  close(fd);
  prepare_stop();
  struct sigaction reset = {.sa_handler = on_reset, .sa_flags = SA_RESTART};
  must(sigaction(SIGUSR1, &reset, NULL));
  uint64_t *memory = map_anonymous(pages * PAGE, PROT_READ | PROT_WRITE);
  uint64_t *counts = calloc(pages, sizeof *counts);
  for (size_t page = 0; page < pages; page++) memory[page * (PAGE / 8)] = page << 32;
  dprintf(1, "ready\n");
  long long begin = now(CLOCK_REALTIME), before = begin;
  int64_t written = 0;
  uint64_t order = 1;
  for (long lap = 0; !stop_requested; lap++) {
    long long time = now(CLOCK_REALTIME);
    if (reset_requested) {
      reset_requested = 0;
      result->longest_gap = 0;
    } else if (time - before > result->longest_gap) {
      result->gap_end = time;
      result->longest_gap = time - before;
    }
    before = time;
    /* Time spent away is not made up for: the program would write a burst. */
    int64_t due = (time - begin) / 1000 * rate / 1000000;
    if (due - written > rate / 100 + 1) {
      begin += (due - written) * SECOND / (rate + 1);
      continue;
    }
    for (; written < due; written++) {
      size_t page = next_random(&order) % pages;
      uint64_t *word = &memory[page * (PAGE / 8)], expected = (page << 32) + counts[page];
      if (*word != expected) fail("page %zu with counter %lu, seen %lx", page, counts[page], *word);
      (*word)++;
      counts[page]++;
    }
    result->pages_written = written;
    result->laps = lap;
    if (lap % 4096 == 0) stopped();
  }
  for (size_t page = 0; page < pages; page++)
    if (memory[page * (PAGE / 8)] != (page << 32) + counts[page]) fail("page %zu with counter %lu at the end, seen %lx", page, counts[page], memory[page * (PAGE / 8)]);
  pass_with("%ld pages written, longest gap %ld ns", (long)written, (long)result->longest_gap);
}
