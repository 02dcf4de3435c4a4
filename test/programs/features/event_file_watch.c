/* what: inotify watches: their numbers and masks, and events that come after the move */
/* spoil: inotify_rm_watch(fd, second) */
#include "../feature.h"
#include <sys/inotify.h>

int main(void) {
  char *file = scratch("file"), *directory = scratch("directory"), path[300], events[4096];
  write_text(file, "x");
  must(mkdir(directory, 0700));
  int fd = must(inotify_init1(IN_NONBLOCK));
  int first = must(inotify_add_watch(fd, file, IN_MODIFY)), gap = must(inotify_add_watch(fd, "/", IN_CREATE));
  int second = must(inotify_add_watch(fd, directory, IN_CREATE | IN_DELETE));
  must(inotify_rm_watch(fd, gap));
  must(read(fd, events, sizeof events)); /* IN_IGNORED of the removed watch */
  ready();
  refused(read(fd, events, sizeof events), EAGAIN);
  snprintf(path, sizeof path, "%s/new", directory);
  write_text(path, "");
  write_text(file, "y");
  must(unlink(path));
  ssize_t length = must(read(fd, events, sizeof events));
  static const unsigned masks[] = {IN_CREATE, IN_MODIFY, IN_DELETE};
  int watches[] = {second, first, second}, count = 0;
  for (char *at = events; at < events + length; count++) {
    struct inotify_event *event = (struct inotify_event *)at;
    check(count < 3, "three events, seen more");
    equal("kind of event", event->mask, masks[count]);
    equal("watch", event->wd, watches[count]);
    at += sizeof *event + event->len;
  }
  equal("events", count, 3);
  check(must(inotify_add_watch(fd, "/", IN_CREATE)) > second, "a new number for a new watch, seen an old one");
  pass();
}
