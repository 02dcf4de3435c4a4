/* what: a mapped memfd of 64 MiB that a thread writes while it moves */
/* needs: busy */
/* spoil: memory[size / 8 - 1] ^= 1 */
#include "../feature.h"

static _Atomic int stop;
static uint64_t *memory, *view;
static const size_t size = 64 * MIB;

/* Every page holds in its first word the last round that reached it, and in its last what that was at first. */
static void *count(void *unused) {
  (void)unused;
  uint64_t round = 0;
  while (!stop) {
    round++;
    for (size_t page = 0; page < size / PAGE && !stop; page++) {
      uint64_t *words = memory + page * PAGE / 8, seen = view[page * PAGE / 8];
      check(seen == round - 1, "round %lu in page %zu by the other view, seen %lu", round - 1, page, seen);
      words[0] = round;
    }
  }
  return (void *)round;
}

int main(void) {
  int fd = must(memfd_create("large", MFD_CLOEXEC));
  must(ftruncate(fd, size));
  memory = must(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  view = must(mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0));
  must(close(fd));
  for (size_t page = 0; page < size / PAGE; page++) memory[(page + 1) * PAGE / 8 - 1] = page * 0x9e3779b97f4a7c15ULL;
  struct worker *worker = start(count, NULL);
  ready();
  stop = 1;
  uint64_t rounds = (uint64_t)finish(worker);
  check(rounds > 0, "rounds of writing, seen none");
  for (size_t page = 0; page < size / PAGE; page++) {
    uint64_t last = memory[(page + 1) * PAGE / 8 - 1], first = memory[page * PAGE / 8];
    check(last == page * 0x9e3779b97f4a7c15ULL, "page %zu as it was filled, seen %lx", page, last);
    check(first == rounds || first == rounds - 1, "round %lu in page %zu, seen %lu", rounds, page, first);
  }
  pass();
}
