/* what: a terminal whose master is closed already */
/* needs: refusable */
/* spoil: dup2(open("/dev/null", O_RDWR), slave) */
#include "../terminal.h"

int main(void) {
  char byte;
  int master = open_master(), slave = open_slave(master);
  must(close(master));
  ready();
  equal("end of file", read(slave, &byte, 1), 0);
  refused(write(slave, "x", 1), EIO);
  pass();
}
