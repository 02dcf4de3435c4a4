/* what: a Landlock domain: it may not be lost without a word */
/* needs: refusable */
#include "../feature.h"
#include <linux/landlock.h>
#include <sys/prctl.h>

int main(void) {
  struct landlock_ruleset_attr attributes = {.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_DIR};
  int rules = syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
  if (rules < 0) skip("no Landlock: %s", strerror(errno));
  char *path = scratch("directory");
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  must(syscall(SYS_landlock_restrict_self, rules, 0));
  must(close(rules));
  refused(mkdir(path, 0700), EACCES);
  ready();
  refused(mkdir(path, 0700), EACCES);
  pass();
}
