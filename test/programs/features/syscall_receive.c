/* what: blocked in recvfrom, recvmsg and recvmmsg on socketpairs */
/* spoil: interrupt(workers[1]->tid) */
#include "../feature.h"
#include <sys/socket.h>

static int pairs[3][2];
static const long numbers[] = {SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg};

static void *receive(void *index) {
  char room[64];
  struct iovec vector = {room, sizeof room};
  struct mmsghdr messages = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
  long which = (long)index, got = -1;
  if (which == 0) got = recv(pairs[0][1], room, sizeof room, MSG_WAITALL);
  if (which == 1) got = recvmsg(pairs[1][1], &messages.msg_hdr, 0);
  if (which == 2 && recvmmsg(pairs[2][1], &messages, 1, 0, NULL) == 1) got = messages.msg_len;
  check(got == (which == 0 ? 64 : 5), "the message by call %ld, seen %ld %s", numbers[which], got, got < 0 ? strerror(errno) : "");
  return NULL;
}

int main(void) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  struct worker *workers[3];
  for (int i = 0; i < 3; i++) must(socketpair(AF_UNIX, types[i], 0, pairs[i]));
  for (long i = 0; i < 3; i++) workers[i] = start(receive, (void *)i);
  for (int i = 0; i < 3; i++) until_blocked(workers[i]->tid, numbers[i]);
  ready();
  for (int i = 0; i < 3; i++) until_blocked(workers[i]->tid, numbers[i]);
  for (int i = 0; i < 3; i++) must(send(pairs[i][0], "hello", 5, 0));
  must(send(pairs[0][0], (char[59]){0}, 59, 0));
  for (int i = 0; i < 3; i++) finish(workers[i]);
  pass();
}
