# bash completion for runledger: commands and options.
_runledger() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local global="--site --connect --token-file --tls-ca --tls-name --tls-certificate --tls-key --at --json --help"
  local commands="init up status runs show trace diff explain log watch rerun cancel queue verify prove vars script pause resume login logout whoami token audit admin export import restore doctor version"
  local states="detected refused held queued running succeeded failed skipped cancelled"
  local change="--comment --command-id" scope="--default --from-run --to-run --experiment"
  COMPREPLY=()

  case $previous in
    --tiles | --restore | --salvage) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --output | --consistency | --token-file | --tls-ca | --tls-certificate | --tls-key | -o) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --site) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --state) COMPREPLY=($(compgen -W "$states" -- "$word")); return ;;
    --log-level) COMPREPLY=($(compgen -W "debug info warn error" -- "$word")); return ;;
    --script) if [[ " ${COMP_WORDS[*]} " == *" rerun "* ]]; then COMPREPLY=($(compgen -W "stored current" -- "$word")); return; fi ;;
    --connect | --tls-name | --at | --experiment | --limit | --older-than | --reason | --attempt | --tail | --from | --set | --comment | --command-id | --from-run | --to-run | --file | --name | --password-fd | --label | --instrument | --expires | --account | --to | --last) return ;;
    --daemon) COMPREPLY=($(compgen -W "monitord coordinatord workerd/" -- "$word")); return ;;
  esac

  local command= second= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --site | --connect | --token-file | --tls-* | --at) ((i++)) ;;
      -*) ;;
      *) if [[ -z $command ]]; then command=${COMP_WORDS[i]}; elif [[ -z $second ]]; then second=${COMP_WORDS[i]}; fi ;;
    esac
  done

  local words=
  case $command in
    "") words="$commands $global --version" ;;
    runs) words="--experiment --state --limit --missing" ;;
    trace) words="--script" ;;
    log) words="--attempt --tail --raw" ;;
    watch) words="--from --experiment --job --worker --by --kind" ;;
    verify) words="--from --offline" ;;
    prove) words="--output --consistency --tiles --checkpoint --key" ;;
    queue) words="--limit" ;;
    export) words="--output --from --unsigned" ;;
    import | restore) COMPREPLY=($(compgen -f -- "$word")); return ;;
    doctor) words="--restore --accept-loss --reason --salvage $(compgen -d -- "$word")" ;;
    rerun) words="--set --script --fresh-variables --wait $change" ;;
    cancel | pause | resume) words="$change" ;;
    init) COMPREPLY=($(compgen -d -- "$word")); return ;;
    up) COMPREPLY=($(compgen -W "--site --name --log-level --help" -- "$word") $(compgen -d -- "$word")); return ;;
    vars)
      case $second in
        "") words="show set clear history blame" ;;
        show) words="--experiment" ;;
        set) words="--dry-run $scope $change" ;;
        clear) words="$scope $change" ;;
      esac ;;
    admin)
      case $second in
        "") words="backup rebuild erase forget refresh-roles" ;;
        refresh-roles) words="--believe" ;;
        rebuild) words="--check runs files jobs queue instruments variables experiments workers" ;;
        backup) COMPREPLY=($(compgen -d -- "$word")); return ;;
        erase) words="--log --reason --command-id" ;;
        forget) words="--older-than --reason --command-id" ;;
      esac ;;
    login) words="--password-fd" ;;
    logout) words="--all" ;;
    token)
      case $second in
        "") words="create list revoke" ;;
        create) words="--label --read-only --instrument --daemon --expires --output" ;;
        list) words="--account --all" ;;
        revoke) words="$change" ;;
      esac ;;
    audit)
      case $second in
        "") words="who-could-see actions denials" ;;
        actions | denials) words="--from --to --last" ;;
      esac ;;
    script)
      case $second in
        "") words="show list diff" ;;
        show | diff) words="--file" ;;
      esac ;;
  esac
  [[ -n $command ]] && words="$words $global"
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _runledger runledger
