/* what: an open file that was unlinked */
/* spoil: ftruncate(fd, 1000) */
#include "../feature.h"

int main(void) {
  char *path = scratch("file"), *data = malloc(64 * KIB);
  int fd = must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
  fill(data, 64 * KIB, 40);
  equal("bytes written", write(fd, data, 64 * KIB), 64 * KIB);
  must(unlink(path));
  must(lseek(fd, 4096, SEEK_SET));
  ready();
  equal("offset", lseek(fd, 0, SEEK_CUR), 4096);
  equal("bytes read", pread(fd, data, 64 * KIB, 0), 64 * KIB);
  verify("unlinked file", data, 64 * KIB, 40);
  must(write(fd, "still writable", 14));
  refused(access(path, F_OK), ENOENT);
  struct stat status;
  must(fstat(fd, &status));
  equal("links", status.st_nlink, 0);
  pass();
}
