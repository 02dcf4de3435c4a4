/* what: a netlink socket, bound */
/* needs: refusable */
/* spoil: close(netlink) */
#include "../feature.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

int main(void) {
  struct sockaddr_nl address = {.nl_family = AF_NETLINK}, seen;
  socklen_t length = sizeof seen;
  int netlink = must(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  must(bind(netlink, (struct sockaddr *)&address, sizeof address));
  must(getsockname(netlink, (struct sockaddr *)&address, &length));
  ready();
  length = sizeof seen;
  must(getsockname(netlink, (struct sockaddr *)&seen, &length));
  equal("address", seen.nl_pid, address.nl_pid);
  struct {
    struct nlmsghdr header;
    struct rtgenmsg message;
  } request = {{sizeof request, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {AF_UNSPEC}};
  char answer[8192];
  must(send(netlink, &request, sizeof request, 0));
  check(recv(netlink, answer, sizeof answer, 0) > 0, "an answer, seen %s", strerror(errno));
  pass();
}
