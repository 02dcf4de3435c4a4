/* what: private anonymous memory, every byte */
/* spoil: memory[777777] ^= 1 */
#include "../feature.h"

int main(void) {
  size_t size = 4 * MIB;
  char *memory = map_anonymous(size, PROT_READ | PROT_WRITE);
  fill(memory, size, 1);
  ready();
  verify("anonymous memory", memory, size, 1);
  fill(memory, size, 2);
  verify("rewritten memory", memory, size, 2);
  pass();
}
