/* what: blocked in read on a pipe, the call begun before the move returns what is written after it */
/* spoil: interrupt(worker->tid) */
#include "../feature.h"

static int ends[2];

static void *read_once(void *unused) {
  char text[8] = "";
  ssize_t got = read(ends[0], text, sizeof text);
  check(got == 5 && memcmp(text, "hello", 5) == 0, "hello, seen %zd bytes, %s", got, got < 0 ? strerror(errno) : text);
  return unused;
}

int main(void) {
  must(pipe(ends));
  struct worker *worker = start(read_once, NULL);
  until_blocked(worker->tid, SYS_read);
  ready();
  must(write(ends[1], "hello", 5));
  finish(worker);
  pass();
}
