/* what: packet mode and the lock of a master (TIOCPKT, TIOCSPTLCK) */
/* needs: refusable */
/* spoil: ioctl(master, TIOCPKT, &(int){0}) */
#include "../terminal.h"

int main(void) {
  char text[64] = {0};
  int master = open_master(), slave = open_slave(master), value = 1;
  make_raw(slave);
  must(ioctl(master, TIOCPKT, &value));
  ready();
  value = 0;
  must(ioctl(master, TIOCGPKT, &value));
  equal("packet mode", value, 1);
  must(ioctl(master, TIOCGPTLCK, &value));
  equal("lock", value, 0);
  must(write(slave, "data", 4));
  equal("bytes with the packet header", read(master, text, 63), 5);
  equal("packet header", text[0], TIOCPKT_DATA);
  pass();
}
