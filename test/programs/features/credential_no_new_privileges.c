/* what: no_new_privs, which only ever can be set */
/* spoil: wanted = 0 */
#include "../feature.h"
#include <sys/prctl.h>

static int wanted = 1;

int main(void) {
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  ready();
  equal("no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), wanted);
  refused(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
  pass();
}
