/** What `krg COMMAND --help` says after the options. */
import { PROCESS_COLUMNS } from './process-columns.ts';

const columns = Object.entries(PROCESS_COLUMNS)
  .map(([name, { means }]) => `  ${name.padEnd(7)} ${means}`)
  .join('\n');

export const SHELL_HELP = `
Your own shell, as passwd(5) of the node has it, begins in your home directory with the environment of a login; the locale, the
time zone and TERM come from here. KRG_NODE names the node on which it began, KRG_CLUSTER the cluster. Programs that it starts
may be moved, and so may the shell: it keeps its terminal. Without a terminal, as in a pipe, it reads its commands from stdin.

At the beginning of a line:
  ~.   end the connection, also when the node does not answer; the shell is hung up
  ~?   list these
  ~~   send one ~

Exit status: that of the shell (128 + n for signal n); 255 when the connection was lost.

Examples:
  krg shell                          on the first node that answers
  krg shell --node node2             on that one
  krg shell --node node2 -- -c 'uptime; who'`;

export const PS_HELP = `
Columns, for -o and --sort (the names of ps(1) are known, too):
${columns}

Times and starts are those of the node on which a process is: a process that has moved has them from its arrival.

Exit status: 0; 1 when pids were named and none of them exists.

Examples:
  krg ps -u ann --sort -rss          what ann runs, the largest first
  krg ps -o pid,node,%cpu,args --state R
  krg ps --no-headers -o pid -C python3 | xargs krg renice 10`;

export const TREE_HELP = `
Each process stands under its parent, on whatever node that is.

Exit status: 0; 1 when a pid was named that does not exist.

Examples:
  krg tree 65601                     a process with its descendants
  krg tree -s 65601                  and with those above it
  krg tree --json | jq '.[].children | length'`;

export const TOP_HELP = `
Keys (h shows them while it runs):
  arrows         choose a process             P M T N        sort by processor, memory, time, pid
  PgUp PgDn      a page up, down              < >  s         another column; choose one
  /  n           search; the next one         R              the other way round
  \\              filter                       t              tree, list
  space          mark; what follows is done   u              only one user's
                 to all that are marked       1 … 9  0       only one node; all
  m              move to another node         e              events: some, many, none
  k              send a signal                d              how often it looks
  [ ]  r         less nice, nicer; set it     p              stand still
  x              what a move would do         c              whole command lines, or names
  q              end                          h ?            help

It asks the node that answers first, and another one when that is lost. %CPU is of one processor since the last look; a process that
has just moved counts from its arrival. Each node is asked once each time, however many processes it has, and not at all
while it stands still. With NO_COLOR in the environment there are no colours.

For scripts: -b prints lists (-n 1 for one), --json one JSON object per look with nodes, processes and events. Both look once before
they print, so that rates are those of the time between two looks.

Exit status: 0 when it was ended; 6 when no node answers at the start.

Examples:
  krg top --node node2 --sort mem
  krg top -b -n 1 -d 1s | head -20
  krg top --json -n 5 | jq -c '.nodes[] | [.name, .cpu]'`;

export const KILL_HELP = `
A process group is written with a minus, after -- where no signal is given. Only root signals processes of others.

Exit status: 0; otherwise that of the first that failed (3 no such process, 4 not yours), the others are signalled all the same.

Examples:
  krg kill 65601                     SIGTERM
  krg kill -9 65601 131080
  krg kill -s INT -- -65601          the whole group, on all nodes
  krg kill -l                        the signals`;

export const WAIT_HELP = `
The processes need not be children of anybody here, and are followed when they move.

Exit status: that of the process that was named last (128 + n for signal n), as wait in a shell; 0 when nobody can tell it, 127 when it
does not exist, 124 when the time was over, 255 when no daemon answers. Linux tells the exit status of a process to its user and to root.

Examples:
  pid=$(krg run -d -- make); krg wait $pid && echo made
  krg wait -n 65601 65602            until one of them has ended
  krg wait -w 1h -v 65601`;

export const NICE_HELP = `
As krg run, with a nice value of its own; a process keeps it when it moves. Below 0 is for root, and for who has RLIMIT_NICE.

Exit status: that of the program; 4 … as krg run.

Examples:
  krg nice -- make -j8
  krg nice -n 19 --node node3 -d -- python3 crunch.py`;

export const RENICE_HELP = `
The node where a process runs sets the nice value of all its threads, with your rights: only root renices processes of others (EPERM, exit
status 4) and makes any less nice (EACCES, 4); who does not exist is named (ESRCH, 3).

Exit status: 0; otherwise that of the first that failed, the others are set all the same.

Examples:
  krg renice 10 65601 65602
  krg renice --relative 5 -u ann
  krg renice -n 19 -g 65601`;
