/* what: ^C, ^\ and ^Z typed after the move reach the foreground group and nobody else */
/* needs: tree */
/* spoil: write(master, "\x03", 1) */
#include "../terminal.h"

static void hold_group(void *pointer) {
  (void)pointer;
  settled();
  for (;;) pause();
}

static pid_t group;

static void join_group(void *pointer) {
  setpgid(0, group);
  hold_group(pointer);
}

static void lead(void *pointer) {
  int slave = *(int *)pointer, status;
  take_terminal(slave);
  signal(SIGTTOU, SIG_IGN);
  pid_t first = spawn(join_group, NULL), second, background;
  setpgid(first, first);
  group = first;
  second = spawn(join_group, NULL);
  group = 0;
  background = spawn(join_group, NULL);
  must(tcsetpgrp(slave, first));
  settled();
  equal("pid of the stopped one", waitpid(first, &status, WUNTRACED), first);
  equal("status of the first after ^Z", status, (SIGTSTP << 8) | 0x7f);
  must(waitpid(second, &status, WUNTRACED));
  equal("status of the second after ^Z", status, (SIGTSTP << 8) | 0x7f);
  must(killpg(first, SIGCONT));
  must(write(slave, "c", 1));
  equal("status of the first after ^C", wait_status(first), SIGINT);
  equal("status of the second after ^C", wait_status(second), SIGINT);
  equal("nothing happened to the background", waitpid(background, &status, WNOHANG | WUNTRACED), 0);
  kill(background, SIGKILL);
  wait_status(background);
}

int main(void) {
  char byte;
  int master = open_master(), slave = open_slave(master);
  struct termios attributes;
  must(tcgetattr(slave, &attributes));
  attributes.c_lflag &= ~(ECHO | TOSTOP);
  must(tcsetattr(slave, TCSANOW, &attributes));
  pid_t child = spawn(lead, &slave);
  close(slave);
  ready();
  must(write(master, "\x1a", 1));
  equal("bytes read after ^Z", read(master, &byte, 1), 1);
  must(write(master, "\x03", 1));
  join(child);
  pass();
}
