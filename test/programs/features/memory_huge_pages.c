/* what: contents of transparent huge pages, half of them split */
/* spoil: memory[5 * MIB] ^= 1 */
#include "../feature.h"

int main(void) {
  char *room = map_anonymous(10 * MIB, PROT_READ | PROT_WRITE);
  char *memory = (char *)(((uintptr_t)room + 2 * MIB - 1) & ~(2 * MIB - 1));
  if (madvise(memory, 8 * MIB, MADV_HUGEPAGE) != 0) skip("no transparent huge pages: %s", strerror(errno));
  fill(memory, 8 * MIB, 33);
  must(mprotect(memory + 2 * MIB + 7 * PAGE, PAGE, PROT_READ));
  must(madvise(memory + 6 * MIB + 9 * PAGE, PAGE, MADV_DONTNEED));
  ready();
  verify("first 4 MiB", memory, 4 * MIB, 33);
  char *expected = map_anonymous(8 * MIB, PROT_READ | PROT_WRITE);
  fill(expected, 8 * MIB, 33);
  memset(expected + 6 * MIB + 9 * PAGE, 0, PAGE);
  check(memcmp(memory, expected, 8 * MIB) == 0, "all 8 MiB as they were, seen a difference");
  pass();
}
