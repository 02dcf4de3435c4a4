/* what: a process with one thread, blocked in read on a pipe that its child writes after the move */
/* needs: tree */
/* spoil: write(ends[1], "x", 1) */
#include "../feature.h"

static int ends[2];

static void write_later(void *unused) {
  (void)unused;
  close(ends[0]);
  settled();
  until_blocked(getppid(), SYS_read);
  wait_go();
  must(write(ends[1], "hello", 5));
}

int main(void) {
  char text[16];
  must(pipe(ends));
  pid_t child = spawn(write_later, NULL);
  announce();
  close(ends[1]);
  ssize_t got = read(ends[0], text, 16);
  check(got == 5, "5 bytes, seen %zd %s", got, got < 0 ? strerror(errno) : "");
  join(child);
  pass();
}
