# bash completion for spliced
_spliced()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	case $previous in
	-f | --file | -p | --pidfile | -x | --take-sockets | -S | --master-socket)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	-C | --chdir)
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		return
		;;
	--relay)
		mapfile -t COMPREPLY < <(compgen -W 'auto copy sockmap splice uring wire' -- "$current")
		return
		;;
	-sf | -st | --soft-finish | --terminate)
		mapfile -t COMPREPLY < <(compgen -W "$(pidof spliced)" -- "$current")
		return
		;;
	-n | --maxconn | -L | --localpeer | --listen | --to)
		return
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W '-f --file -c --check -D --daemon -db --foreground -d --debug -V --verbose
		-q --quiet -p --pidfile -n --maxconn -L --localpeer -C --chdir -sf --soft-finish -st --terminate
		-W --master-worker -Ws --master-notify -S --master-socket -x --take-sockets
		-v --version -vv --facts --probe -h --help --listen --to --relay' -- "$current")
}
complete -F _spliced spliced
