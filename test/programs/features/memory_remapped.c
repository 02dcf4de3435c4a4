/* what: memory that mremap has moved and grown */
/* spoil: fill(moved, PAGE, 99) */
#include "../feature.h"

int main(void) {
  char *memory = map_anonymous(8 * PAGE, PROT_READ | PROT_WRITE), *place = map_anonymous(64 * PAGE, PROT_NONE);
  fill(memory, 8 * PAGE, 16);
  char *moved = must(mremap(memory, 8 * PAGE, 32 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place));
  fill(moved + 8 * PAGE, 8 * PAGE, 17);
  ready();
  verify("moved part", moved, 8 * PAGE, 16);
  verify("grown part", moved + 8 * PAGE, 8 * PAGE, 17);
  char *again = must(mremap(moved, 32 * PAGE, 48 * PAGE, MREMAP_MAYMOVE));
  verify("moved part after growing again", again, 8 * PAGE, 16);
  for (size_t i = 16 * PAGE; i < 48 * PAGE; i++) equal("byte never written", again[i], 0);
  pass();
}
