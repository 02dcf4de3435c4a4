/* what: supplementary groups, a thousand of them */
/* needs: root */
/* spoil: setgroups(999, groups) */
#include "../feature.h"
#include <grp.h>

enum { COUNT = 1000 };
static gid_t groups[COUNT], seen[COUNT + 1];

int main(void) {
  if (geteuid() != 0) skip("only root may set groups");
  for (int i = 0; i < COUNT; i++) groups[i] = 3000 + 7 * i;
  groups[COUNT - 1] = 0xfffffff0u;
  must(setgroups(COUNT, groups));
  ready();
  equal("number of groups", getgroups(COUNT + 1, seen), COUNT);
  for (int i = 0; i < COUNT; i++) equal("group", seen[i], groups[i]);
  pass();
}
