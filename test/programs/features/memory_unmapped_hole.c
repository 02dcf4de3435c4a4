/* what: a hole between mappings stays a hole */
/* spoil: mmap(memory + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) */
#include "../feature.h"

int main(void) {
  char *memory = map_anonymous(3 * PAGE, PROT_READ | PROT_WRITE);
  fill(memory, 3 * PAGE, 21);
  must(munmap(memory + PAGE, PAGE));
  ready();
  unsigned char resident;
  refused(mincore(memory + PAGE, PAGE, &resident), ENOMEM);
  char *hole = must(mmap(memory + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
  equal("address of the refilled hole", hole, memory + PAGE);
  equal("first byte of the refilled hole", hole[0], 0);
  pass();
}
