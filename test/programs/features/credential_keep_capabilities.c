/* what: PR_SET_KEEPCAPS: capabilities survive the change of the user after the move */
/* needs: root */
/* spoil: prctl(PR_SET_KEEPCAPS, 0) */
#include "../feature.h"
#include <linux/capability.h>
#include <sys/prctl.h>

int main(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct before[2], after[2];
  if (geteuid() != 0) skip("changing the user is for root");
  must(syscall(SYS_capget, &header, before));
  must(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
  ready();
  equal("keep capabilities", prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0), 1);
  must(setresuid(54321, 54321, 54321));
  must(syscall(SYS_capget, &header, after));
  equal("permitted capabilities", after[0].permitted, before[0].permitted);
  equal("effective capabilities", after[0].effective, 0);
  pass();
}
