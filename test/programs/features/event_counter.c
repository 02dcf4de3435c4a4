/* what: the count of an eventfd */
/* spoil: write(fd, &(uint64_t){1}, 8) */
#include "../feature.h"
#include <sys/eventfd.h>

int main(void) {
  uint64_t value = 0;
  int fd = must(eventfd(5, EFD_NONBLOCK)), empty = must(eventfd(0, EFD_NONBLOCK)), full = must(eventfd(0, EFD_NONBLOCK));
  must(write(fd, &(uint64_t){0x1234567890}, 8));
  must(write(full, &(uint64_t){UINT64_MAX - 1}, 8));
  ready();
  must(read(fd, &value, 8));
  equal("count", value, 0x1234567895);
  refused(read(fd, &value, 8), EAGAIN);
  refused(read(empty, &value, 8), EAGAIN);
  refused(write(full, &(uint64_t){1}, 8), EAGAIN);
  must(read(full, &value, 8));
  check(value == UINT64_MAX - 1, "the highest count, seen %lu", value);
  pass();
}
