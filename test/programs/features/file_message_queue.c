/* what: a POSIX message queue with a message in it */
/* needs: refusable */
/* spoil: mq_receive(queue, text, sizeof text, NULL) */
#include "../feature.h"
#include <mqueue.h>

int main(void) {
  char name[64], text[64] = "";
  unsigned priority;
  struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = sizeof text};
  snprintf(name, sizeof name, "/korrigan-feature-%d", getpid());
  mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attributes);
  if (queue == (mqd_t)-1) skip("no message queues: %s", strerror(errno));
  must(mq_unlink(name));
  must(mq_send(queue, "hello", 5, 3));
  ready();
  equal("bytes", must(mq_receive(queue, text, sizeof text, &priority)), 5);
  equal("priority", priority, 3);
  check(strncmp(text, "hello", 5) == 0, "the message, seen %.5s", text);
  pass();
}
