/* what: the working directory */
/* spoil: chdir("/") */
#include "../feature.h"

int main(void) {
  char *path = scratch("directory"), seen[PATH_MAX];
  must(mkdir(path, 0755));
  must(chdir(path));
  ready();
  check(getcwd(seen, sizeof seen) != NULL && strcmp(seen, path) == 0, "%s, seen %s", path, seen);
  int fd = must(open("here", O_CREAT | O_RDWR, 0600));
  must(close(fd));
  must(chdir("/"));
  struct stat status;
  char file[PATH_MAX];
  snprintf(file, sizeof file, "%s/here", path);
  must(stat(file, &status));
  must(unlink(file));
  pass();
}
