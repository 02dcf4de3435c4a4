/* what: blocked in flock and in fcntl(F_OFD_SETLKW) behind locks of the same process */
/* spoil: interrupt(workers[0]->tid) */
#include "../feature.h"
#include <sys/file.h>

static char *path;
static struct flock whole = {.l_type = F_WRLCK};

static void *wait_lock(void *index) {
  int fd = must(open(path, O_RDWR));
  int result = (long)index == 0 ? flock(fd, LOCK_EX) : fcntl(fd, F_OFD_SETLKW, &whole);
  check(result == 0, "lock %ld after its release, seen %s", (long)index, strerror(errno));
  return NULL;
}

int main(void) {
  struct worker *workers[2];
  path = scratch("file");
  int fd = must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600)), other;
  must(flock(fd, LOCK_EX));
  must(fcntl(fd, F_OFD_SETLK, &whole));
  for (long i = 0; i < 2; i++) workers[i] = start(wait_lock, (void *)i);
  until_blocked(workers[0]->tid, SYS_flock);
  until_blocked(workers[1]->tid, SYS_fcntl);
  ready();
  until_blocked(workers[0]->tid, SYS_flock);
  until_blocked(workers[1]->tid, SYS_fcntl);
  other = must(open(path, O_RDWR));
  refused(flock(other, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  must(close(fd));
  for (int i = 0; i < 2; i++) finish(workers[i]);
  pass();
}
