/* what: memory that is written, mapped, discarded and unmapped all the time while the process moves */
/* needs: busy */
/* spoil: stable[100] ^= 1 */
#include "../feature.h"

static _Atomic int stop;
static char *stable;

/* Checks after every step what it wrote before: returns the number of rounds. */
static void *churn(void *unused) {
  (void)unused;
  uint64_t state = 35;
  long rounds = 0;
  char *ring[16] = {0};
  size_t sizes[16] = {0};
  for (; !stop; rounds++) {
    int slot = next_random(&state) % 16;
    if (ring[slot]) {
      verify("a mapping made earlier", ring[slot], sizes[slot], slot);
      if (next_random(&state) % 2) {
        must(madvise(ring[slot], sizes[slot], MADV_DONTNEED));
        for (size_t i = 0; i < sizes[slot]; i += 512) equal("byte of a discarded page", ring[slot][i], 0);
      }
      must(munmap(ring[slot], sizes[slot]));
    }
    sizes[slot] = (next_random(&state) % 32 + 1) * PAGE;
    ring[slot] = map_anonymous(sizes[slot], PROT_READ | PROT_WRITE);
    fill(ring[slot], sizes[slot], slot);
  }
  return (void *)rounds;
}

int main(void) {
  stable = map_anonymous(MIB, PROT_READ | PROT_WRITE);
  fill(stable, MIB, 36);
  struct worker *worker = start(churn, NULL);
  ready();
  stop = 1;
  long rounds = (long)finish(worker);
  check(rounds > 0, "rounds of changes, seen %ld", rounds);
  verify("memory beside the changes", stable, MIB, 36);
  pass();
}
