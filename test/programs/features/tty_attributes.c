/* what: the attributes of a terminal (termios): flags, speeds and control characters */
/* spoil: make_raw(slave) */
#include "../terminal.h"

int main(void) {
  int master = open_master(), slave = open_slave(master);
  struct termios before, after;
  must(tcgetattr(slave, &before));
  before.c_iflag ^= IXANY | IUTF8 | ICRNL;
  before.c_oflag ^= ONLCR;
  before.c_lflag ^= ECHOK | TOSTOP | ECHOCTL;
  before.c_cc[VINTR] = 'Q';
  before.c_cc[VMIN] = 3;
  before.c_cc[VTIME] = 7;
  cfsetspeed(&before, B19200);
  must(tcsetattr(slave, TCSANOW, &before));
  must(tcgetattr(slave, &before));
  ready();
  must(tcgetattr(slave, &after));
  equal("input flags", after.c_iflag, before.c_iflag);
  equal("output flags", after.c_oflag, before.c_oflag);
  equal("control flags", after.c_cflag, before.c_cflag);
  equal("local flags", after.c_lflag, before.c_lflag);
  equal("speed", cfgetospeed(&after), B19200);
  check(memcmp(after.c_cc, before.c_cc, sizeof after.c_cc) == 0, "the same control characters, seen others");
  pass();
}
