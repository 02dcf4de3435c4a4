/* what: real, effective, saved and file-system group id, all different */
/* needs: root */
/* spoil: setresgid(-1, 0, -1) */
#include "../feature.h"
#include <sys/fsuid.h>

int main(void) {
  if (geteuid() != 0) skip("only root may set group ids");
  must(setresgid(2001, 2002, 2003));
  setfsgid(2004);
  ready();
  gid_t real, effective, saved;
  must(getresgid(&real, &effective, &saved));
  equal("real group id", real, 2001);
  equal("effective group id", effective, 2002);
  equal("saved group id", saved, 2003);
  equal("file-system group id", setfsgid(-1), 2004);
  int fd = must(open(scratch("owned"), O_CREAT | O_RDWR, 0600));
  struct stat status;
  must(fstat(fd, &status));
  equal("group of a new file", status.st_gid, 2004);
  pass();
}
