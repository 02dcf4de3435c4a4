/* what: a fanotify group with a mark */
/* needs: root, refusable */
/* spoil: close(group) */
#include "../feature.h"
#include <sys/fanotify.h>

int main(void) {
  char *path = scratch("watched"), events[4096];
  write_text(path, "x");
  int group = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_REPORT_FID, O_RDONLY);
  if (group < 0) skip("no fanotify: %s", strerror(errno));
  if (fanotify_mark(group, FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD, path) != 0) skip("no fanotify here: %s", strerror(errno));
  refused(read(group, events, sizeof events), EAGAIN);
  ready();
  write_text(path, "y");
  check(read(group, events, sizeof events) > 0, "an event, seen %s", strerror(errno));
  pass();
}
