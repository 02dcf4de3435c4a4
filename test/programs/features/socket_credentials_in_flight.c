/* what: datagrams that carry their sender's credentials, not received yet */
/* needs: refusable */
/* spoil: recv(ends[1], &byte, 1, 0) */
#include "../feature.h"
#include <sys/socket.h>

int main(void) {
  int ends[2], one = 1;
  char byte = 'c';
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(struct ucred))];
  } control = {0};
  struct iovec vector = {&byte, 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  must(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
  must(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one));
  must(send(ends[0], "c", 1, 0));
  ready();
  equal("bytes received", recvmsg(ends[1], &message, MSG_DONTWAIT), 1);
  equal("kind of control message", control.header.cmsg_type, SCM_CREDENTIALS);
  struct ucred sender;
  memcpy(&sender, CMSG_DATA(&control.header), sizeof sender);
  equal("pid of the sender", sender.pid, getpid());
  equal("user of the sender", sender.uid, getuid());
  pass();
}
