/* what: a line typed in part in canonical mode, and whole lines waiting before it */
/* needs: refusable */
/* spoil: tcflush(slave, TCIFLUSH) */
#include "../terminal.h"

int main(void) {
  char text[64] = {0};
  int master = open_master(), slave = open_slave(master);
  struct termios attributes;
  must(tcgetattr(slave, &attributes));
  attributes.c_lflag &= ~ECHO;
  must(tcsetattr(slave, TCSANOW, &attributes));
  must(write(master, "a whole line\nhalf a li", 22));
  nap_milliseconds(20);
  ready();
  must(write(master, "XX\x7f\x7fne\n", 7));
  nap_milliseconds(20);
  equal("length of the first line", read(slave, text, 63), 13);
  equal("length of the second line, completed and corrected", read(slave, text, 63), 12);
  check(memcmp(text, "half a line\n", 12) == 0, "half a line, seen %.12s", text);
  pass();
}
