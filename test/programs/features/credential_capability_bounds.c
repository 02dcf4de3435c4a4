/* what: capability bounding set and ambient set */
/* needs: root */
/* spoil: prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) */
#include "../feature.h"
#include <linux/capability.h>
#include <sys/prctl.h>

int main(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct sets[2];
  if (geteuid() != 0) skip("only root may change these");
  must(syscall(SYS_capget, &header, sets));
  sets[0].inheritable |= 1 << CAP_NET_RAW | 1 << CAP_KILL;
  if (syscall(SYS_capset, &header, sets) != 0) skip("lacks CAP_NET_RAW or CAP_KILL");
  must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0));
  must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
  must(prctl(PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0));
  must(prctl(PR_CAPBSET_DROP, CAP_AUDIT_WRITE, 0, 0, 0));
  ready();
  equal("CAP_NET_RAW ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_RAW, 0, 0), 1);
  equal("CAP_KILL ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0), 1);
  equal("CAP_CHOWN ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0), 0);
  equal("CAP_SYS_TIME in the bounding set", prctl(PR_CAPBSET_READ, CAP_SYS_TIME, 0, 0, 0), 0);
  equal("CAP_AUDIT_WRITE in the bounding set", prctl(PR_CAPBSET_READ, CAP_AUDIT_WRITE, 0, 0, 0), 0);
  equal("CAP_CHOWN in the bounding set", prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0), 1);
  pass();
}
