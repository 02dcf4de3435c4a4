/* what: options of a socket: buffer sizes, time-outs, SO_PASSCRED, SO_RCVLOWAT, SO_PRIORITY, O_NONBLOCK */
/* spoil: setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0}, sizeof(struct timeval)) */
#include "../feature.h"
#include <sys/socket.h>
#include <sys/time.h>

static int option(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  must(getsockopt(fd, SOL_SOCKET, name, &value, &size));
  return value;
}

int main(void) {
  static const int names[] = {SO_SNDBUF, SO_RCVBUF, SO_PASSCRED, SO_RCVLOWAT, SO_PRIORITY, SO_TYPE, SO_DOMAIN};
  int ends[2], before[7], one = 1, size = 60000;
  struct timeval time = {.tv_sec = 12, .tv_usec = 500000}, seen;
  socklen_t length = sizeof seen;
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  must(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
  must(setsockopt(ends[0], SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
  must(setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof one));
  must(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
  must(setsockopt(ends[0], SOL_SOCKET, SO_PRIORITY, &(int){3}, sizeof(int)));
  must(fcntl(ends[1], F_SETFL, O_NONBLOCK));
  for (int i = 0; i < 7; i++) before[i] = option(ends[0], names[i]);
  ready();
  for (int i = 0; i < 7; i++) equal("value of an option", option(ends[0], names[i]), before[i]);
  must(getsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &seen, &length));
  equal("seconds of the receive time-out", seen.tv_sec, 12);
  equal("flags of the first end", must(fcntl(ends[0], F_GETFL)), O_RDWR);
  equal("flags of the second end", must(fcntl(ends[1], F_GETFL)), O_RDWR | O_NONBLOCK);
  equal("SO_PASSCRED of the second end", option(ends[1], SO_PASSCRED), 0);
  pass();
}
