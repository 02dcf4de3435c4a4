/* what: stdin, stdout and stderr closed or duplicated in an odd way */
/* spoil: close(2) */
#include "../feature.h"

int main(void) {
  close(0);
  must(dup2(1, 2));
  ready();
  refused(fcntl(0, F_GETFD), EBADF);
  equal("kcmp of stdout and stderr", syscall(SYS_kcmp, getpid(), getpid(), 0, 1, 2), 0);
  equal("next descriptor", open("/dev/null", O_RDONLY), 0);
  pass();
}
