/* what: a UDP socket bound to a port of the loopback interface */
/* needs: refusable */
/* spoil: close(receiver) */
#include "../feature.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, seen;
  socklen_t size = sizeof address;
  char text[16];
  int receiver = must(socket(AF_INET, SOCK_DGRAM, 0)), sender = must(socket(AF_INET, SOCK_DGRAM, 0));
  if (bind(receiver, (struct sockaddr *)&address, sizeof address) != 0) skip("no loopback interface: %s", strerror(errno));
  must(getsockname(receiver, (struct sockaddr *)&address, &size));
  if (sendto(sender, "before", 6, 0, (struct sockaddr *)&address, size) != 6) skip("the loopback interface is down: %s", strerror(errno));
  equal("datagram before the move", recv(receiver, text, 16, MSG_DONTWAIT), 6);
  ready();
  must(getsockname(receiver, (struct sockaddr *)&seen, &size));
  equal("port", ntohs(seen.sin_port), ntohs(address.sin_port));
  must(sendto(sender, "after it", 8, 0, (struct sockaddr *)&address, size));
  equal("datagram after the move", recv(receiver, text, 16, MSG_DONTWAIT), 8);
  pass();
}
