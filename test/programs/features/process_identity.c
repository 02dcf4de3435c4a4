/* what: pid, parent, group and session of a process */
/* spoil: setpgid(0, 0) */
#include "../feature.h"

int main(void) {
  pid_t before[4] = {getpid(), getppid(), getpgrp(), getsid(0)};
  ready();
  equal("getpid()", getpid(), before[0]);
  equal("getppid()", getppid(), before[1]);
  equal("getpgrp()", getpgrp(), before[2]);
  equal("getsid(0)", getsid(0), before[3]);
  pass();
}
