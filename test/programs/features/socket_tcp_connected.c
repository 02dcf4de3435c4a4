/* what: a TCP connection of the process with itself over the loopback interface, data waiting in it */
/* needs: refusable */
/* spoil: read(server, text, 1) */
#include "../feature.h"
#include <arpa/inet.h>
#include <sys/socket.h>

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  char text[16];
  int listener = must(socket(AF_INET, SOCK_STREAM, 0)), client = must(socket(AF_INET, SOCK_STREAM, 0));
  must(bind(listener, (struct sockaddr *)&address, sizeof address));
  must(listen(listener, 7));
  must(getsockname(listener, (struct sockaddr *)&address, &size));
  if (connect(client, (struct sockaddr *)&address, size) != 0) skip("the loopback interface is down: %s", strerror(errno));
  int server = must(accept(listener, NULL, NULL));
  must(close(listener));
  must(write(client, "waiting", 7));
  nap_milliseconds(20);
  ready();
  equal("bytes read by the server", read(server, text, 16), 7);
  must(write(server, "answer", 6));
  equal("bytes read by the client", read(client, text, 16), 6);
  pass();
}
