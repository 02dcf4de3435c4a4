/* what: blocked in write on a full pipe: each byte arrives once, in order */
/* spoil: interrupt(worker->tid) */
#include "../feature.h"

enum { SIZE = 256 * 1024 };
static int ends[2];
static char sent[SIZE], got[SIZE];

static void *write_all(void *unused) {
  ssize_t written = write(ends[1], sent, SIZE);
  check(written == SIZE, "one write of %d bytes, seen %zd", SIZE, written);
  return unused;
}

int main(void) {
  fill(sent, SIZE, 3);
  must(pipe(ends));
  struct worker *worker = start(write_all, NULL);
  until_blocked(worker->tid, SYS_write);
  ready();
  for (int at = 0; at < SIZE;) at += must(read(ends[0], got + at, SIZE - at));
  finish(worker);
  verify("bytes read", got, SIZE, 3);
  pass();
}
