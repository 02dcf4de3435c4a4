/* what: a datagram socketpair: waiting datagrams keep their bounds, empty ones too */
/* spoil: recv(ends[1], text, 64, 0) */
#include "../feature.h"
#include <sys/socket.h>

int main(void) {
  int ends[2];
  char text[64];
  must(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
  must(send(ends[0], "first", 5, 0));
  must(send(ends[0], "", 0, 0));
  must(send(ends[0], "the third", 9, 0));
  ready();
  equal("first datagram", recv(ends[1], text, 64, MSG_DONTWAIT), 5);
  equal("empty datagram", recv(ends[1], text, 64, MSG_DONTWAIT), 0);
  equal("part of the third", recv(ends[1], text, 3, MSG_DONTWAIT), 3);
  refused(recv(ends[1], text, 64, MSG_DONTWAIT), EAGAIN);
  must(send(ends[1], "back", 4, 0));
  equal("datagram back", recv(ends[0], text, 64, MSG_DONTWAIT), 4);
  pass();
}
