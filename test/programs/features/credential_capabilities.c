/* what: effective, permitted and inheritable capabilities, each another set */
/* needs: root */
/* spoil: kept[0].inheritable = 0, syscall(SYS_capset, &header, kept), kept[0].inheritable = 1 << CAP_CHOWN */
#include "../feature.h"
#include <linux/capability.h>

static struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
static struct __user_cap_data_struct all[2], kept[2], seen[2];

int main(void) {
  if (geteuid() != 0) skip("only root has capabilities to drop");
  must(syscall(SYS_capget, &header, all));
  __u32 wanted = 1 << CAP_NET_ADMIN | 1 << CAP_SYS_NICE | 1 << CAP_CHOWN;
  if ((all[0].permitted & wanted) != wanted) skip("lacks capabilities to begin with");
  kept[0] = (struct __user_cap_data_struct){.effective = 1 << CAP_CHOWN, .permitted = 1 << CAP_CHOWN | 1 << CAP_SYS_NICE, .inheritable = 1 << CAP_NET_ADMIN | 1 << CAP_CHOWN};
  must(syscall(SYS_capset, &header, kept));
  ready();
  must(syscall(SYS_capget, &header, seen));
  for (int i = 0; i < 2; i++) {
    equal("effective", seen[i].effective, kept[i].effective);
    equal("permitted", seen[i].permitted, kept[i].permitted);
    equal("inheritable", seen[i].inheritable, kept[i].inheritable);
  }
  equal("user id", geteuid(), 0);
  refused(chroot("/"), EPERM);
  pass();
}
