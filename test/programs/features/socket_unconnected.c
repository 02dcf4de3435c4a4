/* what: sockets that were made and not used yet: unix stream, unix datagram, TCP, UDP */
/* needs: refusable */
/* spoil: close(fds[0]) */
#include "../feature.h"
#include <sys/socket.h>

int main(void) {
  static const int domains[] = {AF_UNIX, AF_UNIX, AF_INET, AF_INET}, types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_STREAM, SOCK_DGRAM};
  int fds[4], value;
  for (int i = 0; i < 4; i++) fds[i] = must(socket(domains[i], types[i], 0));
  ready();
  for (int i = 0; i < 4; i++) {
    socklen_t size = sizeof value;
    must(getsockopt(fds[i], SOL_SOCKET, SO_TYPE, &value, &size));
    equal("type", value, types[i]);
    must(getsockopt(fds[i], SOL_SOCKET, SO_DOMAIN, &value, &size));
    equal("domain", value, domains[i]);
  }
  refused(send(fds[0], "x", 1, MSG_NOSIGNAL), ENOTCONN);
  pass();
}
