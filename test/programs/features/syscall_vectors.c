/* what: blocked in readv, preadv2, splice and tee on pipes */
/* spoil: interrupt(workers[0]->tid) */
#include "../feature.h"
#include <sys/uio.h>

static int pipes[5][2], file;
static const long numbers[] = {SYS_readv, SYS_preadv2, SYS_splice, SYS_tee};

static void *transfer(void *index) {
  char room[2][100];
  struct iovec parts[2] = {{room[0], 3}, {room[1], 100}};
  long which = (long)index, got = -1;
  if (which == 0) got = readv(pipes[0][0], parts, 2);
  if (which == 1) got = preadv2(pipes[1][0], parts, 2, -1, 0);
  if (which == 2) got = splice(pipes[2][0], NULL, file, &(off_t){0}, 100, 0);
  if (which == 3) got = tee(pipes[3][0], pipes[4][1], 100, 0);
  check(got == 5, "5 bytes by call %ld, seen %ld %s", numbers[which], got, got < 0 ? strerror(errno) : "");
  return NULL;
}

int main(void) {
  struct worker *workers[4];
  char text[8];
  file = must(open(scratch("file"), O_RDWR | O_CREAT | O_TRUNC, 0600));
  for (int i = 0; i < 5; i++) must(pipe(pipes[i]));
  for (long i = 0; i < 4; i++) workers[i] = start(transfer, (void *)i);
  for (int i = 0; i < 4; i++) until_blocked(workers[i]->tid, numbers[i]);
  ready();
  for (int i = 0; i < 4; i++) until_blocked(workers[i]->tid, numbers[i]);
  for (int i = 0; i < 4; i++) must(write(pipes[i][1], "hello", 5));
  for (int i = 0; i < 4; i++) finish(workers[i]);
  equal("bytes in the file", pread(file, text, 8, 0), 5);
  equal("bytes duplicated by tee", read(pipes[4][0], text, 8), 5);
  pass();
}
