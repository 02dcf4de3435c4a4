/* what: secure bits with their locks, among them keep-capabilities, as an unprivileged user who kept one capability */
/* needs: root */
/* spoil: bits |= SECBIT_NOROOT */
#include "../feature.h"
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

static long bits = SECBIT_KEEP_CAPS | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

int main(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct one[2] = {{.effective = 1 << CAP_SYS_NICE, .permitted = 1 << CAP_SYS_NICE}}, seen[2];
  if (geteuid() != 0 || prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) != 0) skip("may not set secure bits");
  must(setresuid(1100, 1100, 1100));
  must(syscall(SYS_capset, &header, one));
  ready();
  equal("secure bits", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0), bits);
  equal("keep-capabilities", prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0), 1);
  equal("user id", getuid(), 1100);
  must(syscall(SYS_capget, &header, seen));
  equal("effective capabilities", seen[0].effective, 1 << CAP_SYS_NICE);
  equal("permitted capabilities", seen[0].permitted, 1 << CAP_SYS_NICE);
  must(setpriority(PRIO_PROCESS, 0, -3));
  pass();
}
