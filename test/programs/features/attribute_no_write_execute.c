/* what: PR_SET_MDWE: memory that is or was writable never becomes executable */
/* needs: refusable */
#include "../feature.h"
#include <sys/prctl.h>
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif

int main(void) {
  if (prctl(PR_SET_MDWE, 1, 0, 0, 0) != 0) skip("no PR_SET_MDWE: %s", strerror(errno));
  char *memory = map_anonymous(PAGE, PROT_READ | PROT_WRITE);
  fill(memory, PAGE, 72);
  ready();
  verify("memory", memory, PAGE, 72);
  equal("PR_GET_MDWE", prctl(PR_GET_MDWE, 0, 0, 0, 0), 1);
  refused(mprotect(memory, PAGE, PROT_READ | PROT_EXEC), EACCES);
  refused(mmap(NULL, PAGE, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EACCES);
  pass();
}
