/* what: a descriptor sent over a socketpair and not received yet */
/* needs: refusable */
/* spoil: recv(ends[1], &byte, 1, 0) */
#include "../feature.h"
#include <sys/socket.h>

int main(void) {
  int ends[2], file = must(open(scratch("file"), O_RDWR | O_CREAT | O_TRUNC, 0600));
  char byte = 'd', text[16] = {0};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec vector = {&byte, 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  must(write(file, "in flight", 9));
  must(lseek(file, 3, SEEK_SET));
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
  memcpy(CMSG_DATA(&control.header), &file, sizeof file);
  must(sendmsg(ends[0], &message, 0));
  must(close(file));
  ready();
  memset(&control, 0, sizeof control);
  message.msg_controllen = sizeof control;
  equal("bytes received", recvmsg(ends[1], &message, MSG_DONTWAIT), 1);
  equal("kind of control message", control.header.cmsg_type, SCM_RIGHTS);
  int received;
  memcpy(&received, CMSG_DATA(&control.header), sizeof received);
  equal("bytes read from the received file", read(received, text, 15), 6);
  check(strcmp(text, "flight") == 0, "flight, seen %s", text);
  pass();
}
