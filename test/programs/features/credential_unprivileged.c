/* what: a program that gave up root for good: it is an ordinary user without capabilities afterwards, and may not become root again */
/* needs: root */
/* spoil: uid = 1235 */
#include "../feature.h"
#include <grp.h>

static uid_t uid = 1234;

int main(void) {
  if (geteuid() != 0) skip("only root may give up root");
  gid_t group = 4321;
  must(setgroups(1, &group));
  must(setresgid(4321, 4321, 4321));
  must(setresuid(1234, 1234, 1234));
  ready();
  uid_t real, effective, saved;
  must(getresuid(&real, &effective, &saved));
  equal("real user id", real, uid);
  equal("effective user id", effective, uid);
  equal("saved user id", saved, uid);
  equal("effective group id", getegid(), 4321);
  char *status = read_text("/proc/self/status");
  check(strstr(status, "CapEff:\t0000000000000000") && strstr(status, "CapPrm:\t0000000000000000"), "no capabilities, seen %s", strstr(status, "CapInh:"));
  refused(setuid(0), EPERM);
  refused(setgid(0), EPERM);
  refused(open("/proc/1/mem", O_RDONLY), EACCES);
  equal("getegid", getegid(), group);
  pass();
}
