/* what: a listening TCP socket */
/* spoil: close(listener) */
#include "../feature.h"
#include <arpa/inet.h>
#include <sys/socket.h>

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
  socklen_t size = sizeof address;
  int listener = must(socket(AF_INET, SOCK_STREAM, 0)), value = 0;
  must(bind(listener, (struct sockaddr *)&address, sizeof address));
  must(listen(listener, 7));
  must(getsockname(listener, (struct sockaddr *)&address, &size));
  int port = ntohs(address.sin_port);
  ready();
  must(getsockname(listener, (struct sockaddr *)&address, &size));
  equal("port", ntohs(address.sin_port), port);
  size = sizeof value;
  must(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &value, &size));
  equal("listening", value, 1);
  pass();
}
