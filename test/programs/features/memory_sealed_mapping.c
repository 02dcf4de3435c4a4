/* what: mapping sealed with mseal: it cannot be unmapped or changed */
/* needs: refusable */
#include "../feature.h"
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

int main(void) {
  char *memory = map_anonymous(4 * PAGE, PROT_READ | PROT_WRITE);
  fill(memory, 4 * PAGE, 32);
  if (syscall(SYS_mseal, memory, 4 * PAGE, 0) != 0) skip("mseal: %s", strerror(errno));
  ready();
  verify("sealed memory", memory, 4 * PAGE, 32);
  refused(munmap(memory, 4 * PAGE), EPERM);
  refused(mprotect(memory, 4 * PAGE, PROT_READ), EPERM);
  pass();
}
