/* what: input/output priority: class and level */
/* spoil: syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0) */
#include "../feature.h"
#include <linux/ioprio.h>

int main(void) {
  int priority = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6);
  must(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, priority));
  ready();
  equal("priority", syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0), priority);
  pass();
}
