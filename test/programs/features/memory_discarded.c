/* what: pages given back with MADV_DONTNEED read as zero, and do not come back */
/* spoil: memory[5 * PAGE] = 1 */
#include "../feature.h"

int main(void) {
  char *memory = map_anonymous(32 * PAGE, PROT_READ | PROT_WRITE);
  fill(memory, 32 * PAGE, 34);
  for (int page = 1; page < 32; page += 2) must(madvise(memory + page * PAGE, PAGE, MADV_DONTNEED));
  ready();
  char *expected = malloc(32 * PAGE);
  fill(expected, 32 * PAGE, 34);
  for (int page = 1; page < 32; page += 2) memset(expected + page * PAGE, 0, PAGE);
  check(memcmp(memory, expected, 32 * PAGE) == 0, "kept pages as they were and the others zero, seen a difference");
  pass();
}
