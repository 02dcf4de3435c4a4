/* what: a datagram socket bound to an abstract name */
/* needs: refusable */
/* spoil: close(receiver) */
#include "../feature.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char text[16];
  int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "korrigan.feature.%d", getpid());
  socklen_t size = offsetof(struct sockaddr_un, sun_path) + 1 + length;
  int receiver = must(socket(AF_UNIX, SOCK_DGRAM, 0)), sender = must(socket(AF_UNIX, SOCK_DGRAM, 0));
  must(bind(receiver, (struct sockaddr *)&address, size));
  must(sendto(sender, "before", 6, 0, (struct sockaddr *)&address, size));
  ready();
  equal("datagram sent before the move", recv(receiver, text, 16, MSG_DONTWAIT), 6);
  must(sendto(sender, "after it", 8, 0, (struct sockaddr *)&address, size));
  equal("datagram sent after the move", recv(receiver, text, 16, MSG_DONTWAIT), 8);
  pass();
}
