/* what: memory of explicit huge pages (hugetlb) */
/* needs: refusable */
/* spoil: memory[9] ^= 1 */
#include "../feature.h"

int main(void) {
  char *memory = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
  if (memory == MAP_FAILED) skip("no huge pages are reserved: %s", strerror(errno));
  fill(memory, 2 * MIB, 75);
  ready();
  verify("huge page", memory, 2 * MIB, 75);
  pass();
}
