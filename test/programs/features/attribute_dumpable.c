/* what: dumpable switched off: the process stays closed to others of its user */
/* spoil: prctl(PR_SET_DUMPABLE, 1) */
#include "../feature.h"
#include <sys/prctl.h>

int main(void) {
  struct stat status;
  must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
  ready();
  equal("dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
  must(stat("/proc/self/mem", &status));
  equal("owner of /proc/self/mem", status.st_uid, 0);
  pass();
}
