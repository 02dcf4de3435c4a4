/* what: string instructions (rep movsb, rep stosq) in the middle of their work on memory */
/* needs: busy */
/* spoil: damage = 1 */
#include "../feature.h"

static _Atomic int stop, damage;

static void *copy(void *unused) {
  (void)unused;
  size_t size = 4 * MIB;
  char *from = map_anonymous(size, PROT_READ | PROT_WRITE), *to = map_anonymous(size, PROT_READ | PROT_WRITE);
  long rounds = 0;
  do {
    fill(from, size, rounds);
    void *source = from, *target = to;
    size_t count = size;
    __asm__ volatile("rep movsb" : "+S"(source), "+D"(target), "+c"(count) : : "memory");
    equal("bytes left to copy", count, 0);
    if (damage) to[size / 2] ^= 1;
    verify("copy", to, size, rounds);
    target = to;
    count = size / 8;
    __asm__ volatile("rep stosq" : "+D"(target), "+c"(count) : "a"(rounds * 0x0101010101010101L) : "memory");
    for (size_t i = 0; i < size / 8; i += 101) equal("word stored", ((long *)to)[i], rounds * 0x0101010101010101L);
    rounds++;
  } while (!stop);
  return (void *)rounds;
}

int main(void) {
  struct worker *worker = start(copy, NULL);
  ready();
  nap_milliseconds(30);
  stop = 1;
  check((long)finish(worker) > 0, "rounds, seen none");
  pass();
}
