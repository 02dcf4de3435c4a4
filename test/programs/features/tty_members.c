/* what: the controlling terminal of every member of a session, not of its leader alone */
/* needs: tree */
/* spoil: kill(child, SIGKILL) */
#include "../terminal.h"

static pid_t leader;
/* Opened by main when nothing can be lost any more. */
static int gate[2];

static void use_terminal(void) {
  int terminal = must(open("/dev/tty", O_RDWR));
  equal("session of the terminal", tcgetsid(terminal), leader);
  equal("foreground group", tcgetpgrp(terminal), leader);
  must(write(terminal, "m", 1));
  must(close(terminal));
}

static void grandchild(void *unused) {
  (void)unused;
  char byte;
  settled();
  equal("bytes at the gate", must(read(gate[0], &byte, 1)), 1);
  use_terminal();
}

static void member(void *own_group) {
  if (own_group) setpgid(0, 0);
  pid_t child = spawn(grandchild, NULL);
  settled();
  join(child);
  use_terminal();
}

static void lead(void *pointer) {
  int slave = *(int *)pointer;
  take_terminal(slave);
  must(close(slave));
  leader = getpid();
  pid_t one = spawn(member, NULL), other = spawn(member, pointer);
  settled();
  join(one);
  join(other);
  use_terminal();
}

int main(void) {
  char text[64] = {0};
  int master = open_master(), slave = open_slave(master);
  make_raw(slave);
  must(pipe(gate));
  pid_t child = spawn(lead, &slave);
  ready();
  must(write(gate[1], "go", 2));
  join(child);
  equal("bytes that the members have written", read_fully(master, text, 5), 5);
  pass();
}
