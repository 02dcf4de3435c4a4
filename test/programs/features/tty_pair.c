/* what: a pseudo-terminal pair with data waiting in both directions */
/* needs: refusable */
/* spoil: read(slave, text, 1) */
#include "../terminal.h"

int main(void) {
  char text[64] = {0};
  int master = open_master(), slave = open_slave(master);
  make_raw(slave);
  must(write(master, "to the program", 14));
  must(write(slave, "to the terminal", 15));
  nap_milliseconds(20);
  ready();
  equal("bytes read by the program", read(slave, text, 63), 14);
  check(memcmp(text, "to the program", 14) == 0, "to the program, seen %.14s", text);
  equal("bytes read by the terminal", read(master, text, 63), 15);
  check(memcmp(text, "to the terminal", 15) == 0, "to the terminal, seen %.15s", text);
  must(write(master, "again", 5));
  equal("bytes read after the move", read(slave, text, 63), 5);
  pass();
}
