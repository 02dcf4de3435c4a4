/* what: 60 socketpairs of three types with a message waiting in each direction */
/* spoil: recv(ends[33][1], text, 32, 0) */
#include "../feature.h"
#include <sys/socket.h>

int main(void) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  static int ends[60][2];
  char text[32], expected[32];
  for (int i = 0; i < 60; i++) {
    must(socketpair(AF_UNIX, types[i % 3] | SOCK_CLOEXEC, 0, ends[i]));
    for (int side = 0; side < 2; side++) must(send(ends[i][side], expected, snprintf(expected, 32, "message %d of side %d", i, side), 0));
  }
  ready();
  for (int i = 0; i < 60; i++)
    for (int side = 0; side < 2; side++) {
      int length = snprintf(expected, 32, "message %d of side %d", i, side);
      equal("length of the message", recv(ends[i][!side], text, 32, MSG_DONTWAIT), length);
      check(memcmp(text, expected, length) == 0, "%s, seen %.*s", expected, length, text);
    }
  pass();
}
