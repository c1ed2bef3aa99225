# bash completion for splicectl
_splicectl()
{
	local current previous words commands
	current=${COMP_WORDS[COMP_CWORD]}
	previous=${COMP_WORDS[COMP_CWORD - 1]}
	case $previous in
	-s | --socket)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	-t | --timeout)
		return
		;;
	esac
	if [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W '-s --socket -t --timeout -j --json -h --help -V --version' -- "$current")
		return
	fi

	# The words of the command so far, without options and their arguments.
	words=
	local index=1
	while ((index < COMP_CWORD)); do
		case ${COMP_WORDS[index]} in
		-s | --socket | -t | --timeout) ((index++)) ;;
		-*) ;;
		*) words+="${COMP_WORDS[index]} " ;;
		esac
		((index++))
	done

	case $words in
	'') commands='clear disable enable get help operator quit set show shutdown user' ;;
	'show ') commands='activity backend cli info relay servers sess startup-logs stat version' ;;
	'show cli ') commands='level sockets' ;;
	'show info ') commands='desc json typed' ;;
	'show stat ') commands='desc json no-maint typed up' ;;
	'show servers ') commands='conn state' ;;
	'show sess ') commands='all' ;;
	'set ') commands='maxconn server timeout weight' ;;
	'set maxconn ') commands='frontend global server' ;;
	'set timeout ') commands='cli' ;;
	'set server '*' state ') commands='ready drain maint' ;;
	'set server '*' health ') commands='down stopping up' ;;
	'set server '*' agent ') commands='down up' ;;
	'set server '*' weight ') commands='' ;;
	'set server '*' ') commands='agent health state weight' ;;
	'enable ' | 'disable ') commands='agent frontend health server' ;;
	'shutdown ') commands='frontend session sessions' ;;
	'shutdown sessions ') commands='server' ;;
	'clear ') commands='counters' ;;
	'clear counters ') commands='all' ;;
	'get ') commands='weight' ;;
	*) commands='' ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
}
complete -F _splicectl splicectl
