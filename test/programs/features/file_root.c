/* what: a root directory of the process's own (chroot) */
/* needs: root */
/* spoil: (mkdir("/sub", 0700), chroot("/sub")) */
#include "../feature.h"
#include <libgen.h>

int main(void) {
  char *path = scratch("mark"), *name = strdup(basename(strdup(path))), *go = getenv("KRG_GO"), seen[PATH_MAX], inside[300];
  if (geteuid() != 0) skip("chroot is for root");
  write_text(path, "mark");
  if (go != NULL) {
    /* Everything has to be seen from inside: root is the directory of the go file. */
    check(strcmp(dirname(strdup(go)), dirname(strdup(path))) == 0, "KRG_GO in KRG_SCRATCH, seen %s", go);
    snprintf(inside, sizeof inside, "/%s", basename(strdup(go)));
  }
  must(chroot(dirname(strdup(path))));
  must(chdir("/"));
  if (go != NULL) setenv("KRG_GO", inside, 1);
  snprintf(scratch_paths[0], sizeof scratch_paths[0], "/%s", name);
  struct stat before, after;
  must(stat("/", &before));
  ready();
  check(getcwd(seen, sizeof seen) && strcmp(seen, "/") == 0, "working directory /, seen %s", seen);
  must(stat("/", &after));
  equal("inode of the root", after.st_ino, before.st_ino);
  check(strcmp(read_text(scratch_paths[0]), "mark") == 0, "the mark in the root, seen something else");
  refused(access("/etc/passwd", F_OK), ENOENT);
  refused(access("../../../etc/passwd", F_OK), ENOENT);
  unlink(scratch_paths[0]);
  pass();
}
