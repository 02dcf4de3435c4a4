/* what: a connection through a named unix socket, both ends in the process */
/* needs: refusable */
/* spoil: read(server, text, 2) */
#include "../feature.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX}, seen = {0};
  socklen_t size = sizeof seen;
  char text[16];
  snprintf(address.sun_path, sizeof address.sun_path, "%s", scratch("socket"));
  int listener = must(socket(AF_UNIX, SOCK_STREAM, 0)), client = must(socket(AF_UNIX, SOCK_STREAM, 0));
  must(bind(listener, (struct sockaddr *)&address, sizeof address));
  must(listen(listener, 5));
  must(connect(client, (struct sockaddr *)&address, sizeof address));
  int server = must(accept(listener, NULL, NULL));
  must(close(listener));
  must(write(client, "hello", 5));
  ready();
  equal("bytes read by the server", read(server, text, 16), 5);
  must(getpeername(client, (struct sockaddr *)&seen, &size));
  check(strcmp(seen.sun_path, address.sun_path) == 0, "peer %s, seen %s", address.sun_path, seen.sun_path);
  pass();
}
