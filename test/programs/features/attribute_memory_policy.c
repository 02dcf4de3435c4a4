/* what: the NUMA policy of a thread and of a mapping */
/* needs: refusable */
/* spoil: syscall(SYS_set_mempolicy, 0, NULL, 0) */
#include "../feature.h"
#include <linux/mempolicy.h>

int main(void) {
  unsigned long nodes = 1, seen_nodes = 0;
  int policy = -1;
  char *memory = map_anonymous(4 * PAGE, PROT_READ | PROT_WRITE);
  if (syscall(SYS_set_mempolicy, MPOL_PREFERRED, &nodes, 64) != 0) skip("no NUMA policies: %s", strerror(errno));
  must(syscall(SYS_mbind, memory, 4 * PAGE, MPOL_BIND, &nodes, 64, 0));
  ready();
  must(syscall(SYS_get_mempolicy, &policy, &seen_nodes, 64, NULL, 0));
  equal("policy of the thread", policy, MPOL_PREFERRED);
  equal("its nodes", seen_nodes, 1);
  must(syscall(SYS_get_mempolicy, &policy, &seen_nodes, 64, memory, MPOL_F_ADDR));
  equal("policy of the mapping", policy, MPOL_BIND);
  pass();
}
