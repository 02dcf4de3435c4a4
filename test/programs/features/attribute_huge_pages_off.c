/* what: transparent huge pages disabled for the process */
/* spoil: prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0) */
#include "../feature.h"
#include <sys/prctl.h>

int main(void) {
  if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0) skip("PR_SET_THP_DISABLE: %s", strerror(errno));
  ready();
  equal("disabled", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
  check(strstr(read_text("/proc/self/status"), "THP_enabled:\t0") != NULL, "THP_enabled 0 in the status, seen otherwise");
  pass();
}
