/* what: a root directory of the process's own (chroot), that it cannot leave or change as an ordinary user */
/* needs: root */
/* spoil: write_text(scratch_paths[0], "lost") */
#include "../feature.h"
#include <libgen.h>

int main(void) {
  char *path = scratch("mark"), *name = strdup(basename(strdup(path))), *go = getenv("KRG_GO"), seen[PATH_MAX], inside[300];
  if (geteuid() != 0) skip("chroot is for root");
  write_text(path, "mark");
  must(chmod(path, 0666));
  if (go != NULL) {
    check(strcmp(dirname(strdup(go)), dirname(strdup(path))) == 0, "KRG_GO in KRG_SCRATCH, seen %s", go);
    snprintf(inside, sizeof inside, "/%s", basename(strdup(go)));
    setenv("KRG_GO", inside, 1);
  }
  must(chroot(dirname(strdup(path))));
  must(chdir("/"));
  must(setresgid(65534, 65534, 65534));
  must(setresuid(65534, 65534, 65534));
  snprintf(scratch_paths[0], sizeof scratch_paths[0], "/%s", name);
  ready();
  check(getcwd(seen, sizeof seen) && strcmp(seen, "/") == 0, "working directory /, seen %s", seen);
  check(strcmp(read_text(scratch_paths[0]), "mark") == 0, "the mark in the root, seen something else");
  refused(access("/etc/passwd", F_OK), ENOENT);
  refused(access("../../../etc/passwd", F_OK), ENOENT);
  refused(chroot("."), EPERM);
  pass();
}
