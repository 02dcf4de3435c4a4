/* what: a background process that reads its terminal after the move is stopped by SIGTTIN */
/* needs: tree */
/* spoil: kill(child, SIGKILL) */
#include "../terminal.h"

static int slave;

static void read_later(void *unused) {
  (void)unused;
  char byte;
  setpgid(0, 0);
  settled();
  wait_go();
  must(read(slave, &byte, 1));
  _exit(byte);
}

static void lead(void *unused) {
  (void)unused;
  int status;
  take_terminal(slave);
  signal(SIGTTOU, SIG_IGN);
  pid_t child = spawn(read_later, NULL);
  settled();
  equal("pid of the stopped one", waitpid(child, &status, WUNTRACED), child);
  equal("its status", status, (SIGTTIN << 8) | 0x7f);
  must(tcsetpgrp(slave, child));
  must(kill(child, SIGCONT));
  equal("byte that it read in the foreground", wait_status(child), 'y' << 8);
}

int main(void) {
  int master = open_master();
  slave = open_slave(master);
  make_raw(slave);
  pid_t child = spawn(lead, NULL);
  ready();
  must(write(master, "y", 1));
  join(child);
  pass();
}
