/* Pseudo-terminals for the feature programs of the group tty. */
#pragma once
#include "feature.h"
#include <sys/ioctl.h>
#include <termios.h>

static inline int open_master(void) {
  int master = must(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  must(grantpt(master));
  must(unlockpt(master));
  return master;
}

/* The other end, with its line discipline as new. */
static inline int open_slave(int master) { return must(open(ptsname(master), O_RDWR | O_NOCTTY)); }

static inline void make_raw(int terminal) {
  struct termios attributes;
  must(tcgetattr(terminal, &attributes));
  cfmakeraw(&attributes);
  must(tcsetattr(terminal, TCSANOW, &attributes));
}

/* A session of the calling process's own, with this terminal. */
static inline void take_terminal(int terminal) {
  must(setsid());
  must(ioctl(terminal, TIOCSCTTY, 0));
}
