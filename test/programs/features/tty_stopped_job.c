/* what: a job that ^Z has stopped: it goes on in the foreground of its terminal, and is stopped again */
/* needs: tree */
/* spoil: kill(*job, SIGKILL) */
#include "../terminal.h"

static int master, slave;
static _Atomic pid_t *job;

static void echo(void *unused) {
  (void)unused;
  char byte;
  must(setpgid(0, 0));
  settled();
  while (tcgetpgrp(slave) != getpgrp()) usleep(1000);
  while (read(slave, &byte, 1) == 1)
    if (byte == 'q') _exit(7);
}

static void stop_job(void) {
  int status;
  must(write(master, "\032", 1)); /* ^Z */
  equal("pid of the stopped one", waitpid(*job, &status, WUNTRACED), *job);
  equal("its status", status, (SIGTSTP << 8) | 0x7f);
  must(tcsetpgrp(slave, getpgrp()));
}

static void lead(void *unused) {
  (void)unused;
  int status;
  take_terminal(slave);
  signal(SIGTTOU, SIG_IGN);
  *job = spawn(echo, NULL);
  must(tcsetpgrp(slave, *job));
  stop_job();
  settled();
  wait_go();
  usleep(50000);
  for (int turn = 0; turn < 2; turn++) {
    equal("nothing to report", waitpid(*job, &status, WNOHANG | WUNTRACED | WCONTINUED), 0);
    until_state(*job, 'T');
    must(tcsetpgrp(slave, *job));
    must(kill(-*job, SIGCONT));
    equal("pid of the continued one", waitpid(*job, &status, WCONTINUED), *job);
    if (turn == 0) stop_job();
  }
  must(write(master, "q\n", 2));
  equal("status of the job", wait_status(*job), 7 << 8);
}

int main(void) {
  job = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  master = open_master();
  slave = open_slave(master);
  struct termios quiet;
  must(tcgetattr(slave, &quiet));
  quiet.c_lflag &= ~ECHO;
  must(tcsetattr(slave, TCSANOW, &quiet));
  pid_t child = spawn(lead, NULL);
  ready();
  join(child);
  pass();
}
