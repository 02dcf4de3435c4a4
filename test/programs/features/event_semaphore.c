/* what: an eventfd that counts as a semaphore */
/* spoil: read(fd, &value, 8) */
#include "../feature.h"
#include <sys/eventfd.h>

int main(void) {
  uint64_t value = 0;
  int fd = must(eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK));
  ready();
  for (int i = 0; i < 3; i++) {
    must(read(fd, &value, 8));
    equal("value of a read", value, 1);
  }
  refused(read(fd, &value, 8), EAGAIN);
  pass();
}
