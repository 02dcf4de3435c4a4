/* what: a listening unix socket bound to a path */
/* needs: refusable */
/* spoil: close(listener) */
#include "../feature.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char text[16];
  snprintf(address.sun_path, sizeof address.sun_path, "%s", scratch("socket"));
  int listener = must(socket(AF_UNIX, SOCK_STREAM, 0));
  must(bind(listener, (struct sockaddr *)&address, sizeof address));
  must(listen(listener, 5));
  ready();
  int client = must(socket(AF_UNIX, SOCK_STREAM, 0));
  must(connect(client, (struct sockaddr *)&address, sizeof address));
  int server = must(accept(listener, NULL, NULL));
  must(write(client, "hello", 5));
  equal("bytes read by the server", read(server, text, 16), 5);
  pass();
}
