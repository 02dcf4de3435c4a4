/* what: the name of a terminal, and opening it again by that name */
/* needs: refusable */
/* spoil: dup2(open("/dev/null", O_RDWR), slave) */
#include "../terminal.h"

int main(void) {
  char before[64], after[64], text[8] = {0};
  int master = open_master(), slave = open_slave(master);
  make_raw(slave);
  must(ttyname_r(slave, before, sizeof before) == 0 ? 0 : -1);
  ready();
  check(ttyname_r(slave, after, sizeof after) == 0, "a name, seen none");
  check(strcmp(before, after) == 0, "%s, seen %s", before, after);
  check(strcmp(ptsname(master), before) == 0, "%s from the master, seen %s", before, ptsname(master));
  int again = must(open(before, O_RDWR | O_NOCTTY));
  must(write(again, "x", 1));
  equal("bytes read by the terminal", read(master, text, 8), 1);
  pass();
}
