/* what: a line of which only the beginning was typed, in canonical mode, with quoted control characters in it */
/* spoil: tcflush(slave, TCIFLUSH) */
#include "../terminal.h"

int main(void) {
  char text[64] = {0};
  int master = open_master(), slave = open_slave(master);
  struct termios attributes, after;
  must(tcgetattr(slave, &attributes));
  attributes.c_lflag &= ~ECHO;
  must(tcsetattr(slave, TCSANOW, &attributes));
  must(write(master, "half \x16\x03 a li", 12));
  nap_milliseconds(20);
  ready();
  must(tcgetattr(slave, &after));
  check(memcmp(&after, &attributes, sizeof after) == 0, "the same attributes, seen others");
  must(write(master, "XX\x7f\x7fne\n", 7));
  equal("length of the line, completed and corrected", read(slave, text, 63), 14);
  check(memcmp(text, "half \x03 a line\n", 14) == 0, "half a line, seen %.14s", text);
  must(fcntl(master, F_SETFL, O_NONBLOCK));
  refused(read(master, text, 63), EAGAIN);
  pass();
}
