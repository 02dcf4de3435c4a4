/* what: a MAP_GROWSDOWN mapping of the program's own still grows */
/* spoil: mmap(memory - 2 * PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) */
#include "../feature.h"

int main(void) {
  char *room = map_anonymous(512 * PAGE, PROT_NONE);
  must(munmap(room, 512 * PAGE));
  char *memory = must(mmap(room + 510 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0));
  fill(memory, 2 * PAGE, 22);
  ready();
  verify("top of the mapping", memory, 2 * PAGE, 22);
  for (int page = 1; page <= 100; page++) memory[-page * (long)PAGE] = page;
  for (int page = 1; page <= 100; page++) equal("byte in a grown page", memory[-page * (long)PAGE], page);
  pass();
}
