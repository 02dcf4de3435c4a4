/* what: the window size of a terminal, and SIGWINCH when it changes later */
/* needs: tree */
/* spoil: ioctl(master, TIOCSWINSZ, &(struct winsize){1, 2, 3, 4}) */
#include "../terminal.h"

static void wait_change(void *pointer) {
  int slave = *(int *)pointer;
  sigset_t mask;
  struct winsize size;
  sigemptyset(&mask);
  sigaddset(&mask, SIGWINCH);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  take_terminal(slave);
  settled();
  wait_go();
  equal("signal", sigtimedwait(&mask, NULL, &(struct timespec){20, 0}), SIGWINCH);
  must(ioctl(slave, TIOCGWINSZ, &size));
  equal("rows after the change", size.ws_row, 24);
}

int main(void) {
  int master = open_master(), slave = open_slave(master);
  struct winsize size = {.ws_row = 41, .ws_col = 133, .ws_xpixel = 800, .ws_ypixel = 600};
  must(ioctl(master, TIOCSWINSZ, &size));
  pid_t child = spawn(wait_change, &slave);
  ready();
  must(ioctl(slave, TIOCGWINSZ, &size));
  equal("rows", size.ws_row, 41);
  equal("columns", size.ws_col, 133);
  equal("pixels", size.ws_xpixel, 800);
  equal("pixels", size.ws_ypixel, 600);
  size.ws_row = 24;
  must(ioctl(master, TIOCSWINSZ, &size));
  join(child);
  pass();
}
