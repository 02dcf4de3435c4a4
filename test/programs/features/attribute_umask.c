/* what: umask */
/* spoil: umask(022) */
#include "../feature.h"

int main(void) {
  umask(0137);
  ready();
  struct stat status;
  int fd = must(open(scratch("file"), O_CREAT | O_RDWR, 0777));
  must(fstat(fd, &status));
  equal("mode of a new file", status.st_mode & 0777, 0640);
  equal("umask", umask(0), 0137);
  pass();
}
