# bash completion for runledger: commands and options.
_runledger() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local global="--site --connect --token-file --tls-ca --tls-name --tls-certificate --tls-key --at --json --help"
  local commands="init up status runs show trace diff explain log watch stale rerun try campaign replay stage combine cancel queue verify prove vars script pause resume login logout whoami token audit admin export import restore doctor version"
  local states="detected refused held queued running succeeded failed skipped cancelled"
  local change="--comment --command-id" scope="--default --from-run --to-run --experiment"
  local choice="--experiment --state --reason --script-hash --variable --since --until --support-file --stale"
  local start="--dry-run --yes --wait --command-id" request="--script --set --fresh-variables --interpreter"
  COMPREPLY=()

  case $previous in
    --output) if [[ " ${COMP_WORDS[*]} " == *" try "* ]]; then COMPREPLY=($(compgen -d -- "$word")); return; fi ;;&
    --contract) COMPREPLY=($(compgen -W "isis sns fia" -- "$word")); return ;;
    --over) COMPREPLY=($(compgen -W "run experiment runs" -- "$word")); return ;;
    --support-file) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --tiles | --restore | --salvage) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --output | --consistency | --token-file | --tls-ca | --tls-certificate | --tls-key | -o) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --site) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --state) COMPREPLY=($(compgen -W "$states" -- "$word")); return ;;
    --log-level) COMPREPLY=($(compgen -W "debug info warn error" -- "$word")); return ;;
    --script)
      case " ${COMP_WORDS[*]} " in
        *" rerun "* | *" campaign "*) COMPREPLY=($(compgen -W "stored current" -- "$word")); return ;;
        *" try "* | *" stage "*) COMPREPLY=($(compgen -f -- "$word")); return ;;
      esac ;;
    --connect | --tls-name | --at | --experiment | --limit | --older-than | --reason | --attempt | --tail | --from | --set | --comment | --command-id | --from-run | --to-run | --file | --name | --password-fd | --label | --instrument | --expires | --account | --to | --last | --script-hash | --variable | --since | --until | --purpose | --interpreter | --after | --inputs | --time-limit | --memory-limit | --stage | --job | --campaign) return ;;
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
    runs) words="$choice --limit --missing" ;;
    stale) words="$choice" ;;
    explain) words="--campaign" ;;
    trace) words="--script" ;;
    log) words="--job --attempt --tail --raw" ;;
    watch) words="--from --experiment --job --worker --by --kind" ;;
    verify) words="--from --offline" ;;
    prove) words="--output --consistency --tiles --checkpoint --key" ;;
    queue) words="--limit" ;;
    export) words="--output --from --unsigned" ;;
    import | restore) COMPREPLY=($(compgen -f -- "$word")); return ;;
    doctor) words="--restore --accept-loss --reason --salvage $(compgen -d -- "$word")" ;;
    rerun) words="$choice $request --wait $change" ;;
    try) words="--script --set --interpreter --output $change" ;;
    replay) words="$choice --purpose $start" ;;
    combine) words="--stage --wait $change" ;;
    campaign)
      case $second in
        "") words="plan start list show runs report watch pause resume stop" ;;
        plan) words="$choice $request" ;;
        start) words="--purpose $choice $request $start" ;;
        list) words="--limit" ;;
        report) words="--all" ;;
        pause | resume) words="$change" ;;
        stop) words="--keep-queued $change" ;;
      esac ;;
    stage)
      case $second in
        "") words="list set remove results" ;;
        set) words="--after --over --script --contract --interpreter --inputs --output --time-limit --memory-limit --command-id" ;;
        remove) words="$change" ;;
      esac ;;
    cancel | pause | resume) words="$change" ;;
    init) COMPREPLY=($(compgen -d -- "$word")); return ;;
    up) COMPREPLY=($(compgen -W "--site --name --log-level --help" -- "$word") $(compgen -d -- "$word")); return ;;
    vars)
      case $second in
        "") words="show upcoming set reset clear history blame" ;;
        show) words="--experiment" ;;
        set) words="--dry-run $scope $change" ;;
        reset | clear) words="$scope $change" ;;
      esac ;;
    admin)
      case $second in
        "") words="backup rebuild erase forget refresh-roles" ;;
        refresh-roles) words="--believe" ;;
        rebuild) words="--check runs files jobs queue instruments variables experiments workers stages support_files campaigns" ;;
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
        "") words="show list history diff" ;;
        show | diff) words="--file" ;;
      esac ;;
  esac
  [[ -n $command ]] && words="$words $global"
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _runledger runledger
