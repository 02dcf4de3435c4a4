/* what: a seqpacket socketpair: waiting packets keep their bounds, then end of file */
/* spoil: recv(ends[1], text, 64, 0) */
#include "../feature.h"
#include <sys/socket.h>

int main(void) {
  int ends[2];
  char text[64];
  must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
  must(send(ends[0], "alpha", 5, 0));
  must(send(ends[0], "be", 2, 0));
  must(shutdown(ends[0], SHUT_WR));
  ready();
  equal("first packet", recv(ends[1], text, 64, MSG_DONTWAIT), 5);
  equal("second packet", recv(ends[1], text, 64, MSG_DONTWAIT), 2);
  equal("end of file", recv(ends[1], text, 64, MSG_DONTWAIT), 0);
  must(send(ends[1], "back", 4, 0));
  equal("packet back", recv(ends[0], text, 64, MSG_DONTWAIT), 4);
  pass();
}
