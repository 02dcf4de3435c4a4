/* what: a socketpair whose other end is closed, with data still waiting */
/* spoil: read(ends[1], text, 16) */
#include "../feature.h"
#include <sys/socket.h>

int main(void) {
  int ends[2];
  char text[16];
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  must(write(ends[0], "testament", 9));
  must(close(ends[0]));
  ready();
  equal("bytes read", read(ends[1], text, 16), 9);
  equal("end of file", read(ends[1], text, 16), 0);
  refused(send(ends[1], "x", 1, MSG_NOSIGNAL), EPIPE);
  pass();
}
