/* what: blocked in read of a terminal, in canonical mode */
/* spoil: interrupt(worker->tid) */
#include "../terminal.h"

static int slave;

static void *read_line(void *unused) {
  (void)unused;
  char line[64];
  ssize_t got = read(slave, line, sizeof line);
  check(got == 6, "the line of 6 bytes, seen %zd %s", got, got < 0 ? strerror(errno) : "");
  return NULL;
}

int main(void) {
  int master = open_master();
  slave = open_slave(master);
  struct worker *worker = start(read_line, NULL);
  until_blocked(worker->tid, SYS_read);
  ready();
  until_blocked(worker->tid, SYS_read);
  must(write(master, "typed\n", 6));
  finish(worker);
  pass();
}
