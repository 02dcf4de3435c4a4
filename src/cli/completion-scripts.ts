/**
 * What `krg completion SHELL` prints. Each script asks `krg complete -- WORDS` for candidates, one per line with a description after a tab;
 * the single line `:files` asks the shell to complete commands and files itself.
 */
export const COMPLETION_SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_krg_complete() {
  local line
  local -a candidates=()
  COMPREPLY=()
  while IFS= read -r line; do candidates+=("\${line%%$'\\t'*}"); done < <("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [ "\${candidates[0]-}" = ':files' ]; then
    COMPREPLY=($(compgen -o default -A command -- "\${COMP_WORDS[COMP_CWORD]}") $(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
  else
    COMPREPLY=("\${candidates[@]}")
  fi
}
complete -F _krg_complete krg krgadm krgcapset
`,
  zsh: `#compdef krg krgadm krgcapset
_krg_complete() {
  local line
  local -a candidates
  for line in "\${(@f)$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -z $line ]] && continue
    if [[ $line == ':files' ]]; then
      _alternative 'commands:command:_command_names' 'files:file:_files'
      return
    fi
    line=\${line//:/\\\\:}
    candidates+=("\${line/$'\\t'/:}")
  done
  _describe 'krg' candidates
}
compdef _krg_complete krg krgadm krgcapset
`,
  fish: `function __krg_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l candidates ($words[1] complete -- $words[2..-1] 2>/dev/null)
  if test "$candidates[1]" = ':files'
    __fish_complete_subcommand --fcs-skip=2
  else
    printf '%s\\n' $candidates
  end
end
complete -c krg -f -a '(__krg_complete)'
complete -c krgadm -f -a '(__krg_complete)'
complete -c krgcapset -f -a '(__krg_complete)'
`,
};
