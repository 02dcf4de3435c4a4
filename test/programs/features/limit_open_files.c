/* what: RLIMIT_NOFILE is in force after the move: EMFILE at the limit, not above what was allowed */
/* spoil: setrlimit(RLIMIT_NOFILE, &(struct rlimit){41, 64}) */
#include "../feature.h"

int main(void) {
  must(setrlimit(RLIMIT_NOFILE, &(struct rlimit){40, 64}));
  ready();
  int opened = 0, fd, highest = 0;
  while ((fd = open("/dev/null", O_RDONLY)) >= 0) {
    highest = fd;
    check(++opened < 100, "an end to open files, seen %d opened", opened);
  }
  equal("errno", errno, EMFILE);
  equal("highest descriptor", highest, 39);
  must(setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, 64}));
  equal("descriptor beyond the old soft limit", open("/dev/null", O_RDONLY), 40);
  pass();
}
