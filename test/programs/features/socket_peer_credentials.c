/* what: SO_PEERCRED of a socketpair names the same pid, user and group */
/* needs: refusable */
/* spoil: socketpair(AF_UNIX, SOCK_STREAM, 0, other), dup2(open("/dev/null", O_RDONLY), ends[0]) */
#include "../feature.h"
#include <sys/socket.h>

int main(void) {
  int ends[2], other[2];
  struct ucred before, after;
  socklen_t size = sizeof before;
  (void)other;
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  must(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &before, &size));
  ready();
  must(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &after, &size));
  equal("pid of the peer", after.pid, before.pid);
  equal("user of the peer", after.uid, before.uid);
  equal("group of the peer", after.gid, before.gid);
  equal("pid of the peer", after.pid, getpid());
  pass();
}
