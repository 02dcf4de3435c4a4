/* what: POSIX record locks: ranges and kinds, seen by another process */
/* spoil: fcntl(fd, F_SETLK, &(struct flock){.l_type = F_UNLCK}) */
#include "../feature.h"

static int fd;
static pid_t holder;

static void expect(short kind, off_t at, short seen_kind, off_t start, off_t length) {
  struct flock lock = {.l_type = kind, .l_start = at, .l_len = 1};
  must(fcntl(fd, F_GETLK, &lock));
  equal("kind of the conflicting lock", lock.l_type, seen_kind);
  if (seen_kind == F_UNLCK) return;
  equal("its start", lock.l_start, start);
  equal("its length", lock.l_len, length);
  equal("its holder", lock.l_pid, holder);
}

static void look(void *unused) {
  (void)unused;
  settled();
  expect(F_WRLCK, 105, F_WRLCK, 100, 10);
  expect(F_RDLCK, 250, F_UNLCK, 0, 0);
  expect(F_WRLCK, 250, F_RDLCK, 200, 100);
  expect(F_RDLCK, 5000, F_WRLCK, 1000, 0);
  expect(F_WRLCK, 110, F_UNLCK, 0, 0);
}

int main(void) {
  fd = must(open(scratch("file"), O_RDWR | O_CREAT | O_TRUNC, 0600));
  holder = getpid();
  must(fcntl(fd, F_SETLK, &(struct flock){.l_type = F_WRLCK, .l_start = 100, .l_len = 10}));
  must(fcntl(fd, F_SETLK, &(struct flock){.l_type = F_RDLCK, .l_start = 200, .l_len = 100}));
  must(fcntl(fd, F_SETLK, &(struct flock){.l_type = F_WRLCK, .l_start = 1000}));
  ready();
  join(spawn(look, NULL));
  must(fcntl(fd, F_SETLK, &(struct flock){.l_type = F_UNLCK}));
  pass();
}
