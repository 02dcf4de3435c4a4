/* what: a file without a name (O_TMPFILE), that is given one after the move */
/* needs: refusable */
/* spoil: ftruncate(fd, 0) */
#include "../feature.h"

int main(void) {
  const char *directory = getenv("KRG_SCRATCH");
  char *path = scratch("named"), link[64];
  int fd = open(directory ? directory : "/tmp", O_TMPFILE | O_RDWR, 0600);
  if (fd < 0) skip("no O_TMPFILE here: %s", strerror(errno));
  must(write(fd, "nameless", 8));
  ready();
  equal("offset", lseek(fd, 0, SEEK_CUR), 8);
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  must(linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
  check(strcmp(read_text(path), "nameless") == 0, "nameless, seen %s", read_text(path));
  pass();
}
