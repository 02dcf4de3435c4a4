/* what: /dev/full */
/* spoil: dup2(open("/dev/null", O_RDWR), fd) */
#include "../feature.h"

int main(void) {
  int fd = must(open("/dev/full", O_RDWR));
  ready();
  refused(write(fd, "x", 1), ENOSPC);
  pass();
}
