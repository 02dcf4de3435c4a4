/* what: the controlling terminal of a session: /dev/tty, session id and foreground group */
/* needs: tree */
/* spoil: kill(child, SIGKILL) */
#include "../terminal.h"

static void lead(void *pointer) {
  int slave = *(int *)pointer;
  take_terminal(slave);
  char byte;
  settled();
  equal("bytes typed", read(slave, &byte, 1), 1);
  equal("session of the terminal", tcgetsid(slave), getpid());
  equal("foreground group", tcgetpgrp(slave), getpgrp());
  int again = must(open("/dev/tty", O_RDWR));
  must(write(again, "by its general name", 19));
  close(again);
}

int main(void) {
  char text[64] = {0};
  int master = open_master(), slave = open_slave(master);
  make_raw(slave);
  pid_t child = spawn(lead, &slave);
  ready();
  equal("session of the terminal, seen by its master", tcgetsid(master), child);
  must(write(master, "g", 1));
  join(child);
  equal("bytes written through /dev/tty", read(master, text, 63), 19);
  pass();
}
