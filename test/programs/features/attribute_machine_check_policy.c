/* what: the policy for memory errors (PR_MCE_KILL) of a thread */
/* needs: refusable */
/* spoil: prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0) */
#include "../feature.h"
#include <sys/prctl.h>

int main(void) {
  if (prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) != 0) skip("no memory-error policies: %s", strerror(errno));
  ready();
  equal("policy", prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_EARLY);
  pass();
}
