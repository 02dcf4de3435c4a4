/* what: the working directory */
/* spoil: chdir("/") */
#include "../feature.h"

int main(void) {
  char *directory = scratch("directory"), *inside = scratch("inside"), seen[PATH_MAX], expected[PATH_MAX];
  must(mkdir(directory, 0700));
  must(chdir(directory));
  check(getcwd(expected, sizeof expected) != NULL, "getcwd to work, seen %s", strerror(errno));
  ready();
  check(getcwd(seen, sizeof seen) != NULL, "getcwd to work, seen %s", strerror(errno));
  check(strcmp(seen, expected) == 0, "%s, seen %s", expected, seen);
  char relative[PATH_MAX];
  snprintf(relative, sizeof relative, "../%s", strrchr(inside, '/') + 1);
  write_text(relative, "written by a relative path");
  must(access(inside, R_OK));
  pass();
}
