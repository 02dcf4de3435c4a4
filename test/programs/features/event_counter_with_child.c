/* what: an eventfd shared by parent and child */
/* needs: tree */
/* spoil: read(fd, &value, 8) */
#include "../feature.h"
#include <sys/eventfd.h>

static int fd;

static void add(void *unused) {
  (void)unused;
  must(write(fd, &(uint64_t){100}, 8));
  settled();
  wait_go();
  must(write(fd, &(uint64_t){11}, 8));
}

int main(void) {
  uint64_t value = 0;
  fd = must(eventfd(0, EFD_NONBLOCK));
  pid_t child = spawn(add, NULL);
  ready();
  join(child);
  must(read(fd, &value, 8));
  equal("sum of both writes", value, 111);
  pass();
}
