/* what: real, effective, saved and file-system user id, all different */
/* needs: root */
/* spoil: setresuid(-1, 1002, 1001) */
#include "../feature.h"
#include <sys/fsuid.h>

int main(void) {
  if (geteuid() != 0) skip("only root may set user ids");
  must(setresuid(1001, 0, 1003));
  setfsuid(1004);
  /* Keeps its capabilities, so that the file-system user id may differ from all others. */
  ready();
  uid_t real, effective, saved;
  must(getresuid(&real, &effective, &saved));
  equal("real user id", real, 1001);
  equal("effective user id", effective, 0);
  equal("saved user id", saved, 1003);
  equal("file-system user id", setfsuid(-1), 1004);
  int fd = must(open(scratch("owned"), O_CREAT | O_RDWR, 0600));
  struct stat status;
  must(fstat(fd, &status));
  equal("owner of a new file", status.st_uid, 1004);
  pass();
}
