/* what: a socketpair with one direction shut down */
/* spoil: shutdown(ends[1], SHUT_WR) */
#include "../feature.h"
#include <sys/socket.h>

int main(void) {
  int ends[2];
  char text[16];
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  must(write(ends[0], "end", 3));
  must(shutdown(ends[0], SHUT_WR));
  ready();
  equal("bytes read", read(ends[1], text, 16), 3);
  equal("end of file", read(ends[1], text, 16), 0);
  must(write(ends[1], "still open", 10));
  equal("bytes in the open direction", read(ends[0], text, 16), 10);
  refused(send(ends[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  pass();
}
