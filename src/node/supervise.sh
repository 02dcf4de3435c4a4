#!/bin/sh
# Keeps the daemon of one node alive: starts it again when it has ended abnormally. Its own death changes nothing for the daemon.
#
#   supervise.sh HOSTNAME LOG COMMAND…
#
# Runs in the namespaces of the node. Exit status 0 of the command ends it; so do 20 deaths in a row within their first two seconds.
hostname=$1
log=$2
shift 2

hostname "$hostname"
exec </dev/null >>"$log" 2>&1
trap '' HUP INT

short_lives=0
while [ "$short_lives" -lt 20 ]; do
  started=$(date +%s)
  "$@"
  status=$?
  [ "$status" -eq 0 ] && exit 0
  if [ $(($(date +%s) - started)) -lt 2 ]; then short_lives=$((short_lives + 1)); else short_lives=0; fi
  echo "{\"level\":50,\"time\":$(date +%s)000,\"msg\":\"the daemon ended with status $status; it is started again\"}"
  sleep 0.05
done
echo "{\"level\":60,\"time\":$(date +%s)000,\"msg\":\"the daemon does not stay alive; it is left dead\"}"
exit 1
