/* what: a working directory that was removed */
/* needs: refusable */
/* spoil: chdir("/") */
#include "../feature.h"

int main(void) {
  char *directory = scratch("directory"), seen[PATH_MAX];
  must(mkdir(directory, 0700));
  must(chdir(directory));
  must(rmdir(directory));
  ready();
  struct stat status;
  must(stat(".", &status));
  equal("is a directory", S_ISDIR(status.st_mode), 1);
  check(syscall(SYS_getcwd, seen, sizeof seen) == -1 && errno == ENOENT, "getcwd to fail with ENOENT, seen %s", strerror(errno));
  refused(open("new", O_WRONLY | O_CREAT, 0600), ENOENT);
  pass();
}
