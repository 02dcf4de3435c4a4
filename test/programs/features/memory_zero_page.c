/* what: pages that were only read: zero, and writable afterwards */
/* spoil: memory[3 * PAGE] = 1 */
#include "../feature.h"

int main(void) {
  volatile char *memory = map_anonymous(16 * PAGE, PROT_READ | PROT_WRITE);
  int sum = 0;
  for (size_t i = 0; i < 16 * PAGE; i += PAGE) sum += memory[i];
  equal("sum before the move", sum, 0);
  ready();
  for (size_t i = 0; i < 16 * PAGE; i++) equal("byte only read", memory[i], 0);
  fill((char *)memory, 16 * PAGE, 20);
  verify("memory written after the move", (char *)memory, 16 * PAGE, 20);
  pass();
}
