/* what: inotify events that nobody has read yet */
/* needs: refusable */
/* spoil: read(fd, events, sizeof events) */
#include "../feature.h"
#include <sys/inotify.h>

int main(void) {
  char *file = scratch("file"), events[4096];
  write_text(file, "x");
  int fd = must(inotify_init1(IN_NONBLOCK)), watch = must(inotify_add_watch(fd, file, IN_MODIFY | IN_ATTRIB));
  write_text(file, "y");
  must(chmod(file, 0600));
  ready();
  ssize_t length = must(read(fd, events, sizeof events));
  equal("bytes of two events", length, 2 * sizeof(struct inotify_event));
  struct inotify_event *event = (struct inotify_event *)events;
  equal("first event", event[0].mask, IN_MODIFY);
  equal("second event", event[1].mask, IN_ATTRIB);
  equal("watch", event[0].wd, watch);
  pass();
}
