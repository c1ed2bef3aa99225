# bash completion for splicebench
_splicebench()
{
	local current previous command
	current=${COMP_WORDS[COMP_CWORD]}
	previous=${COMP_WORDS[COMP_CWORD - 1]}
	command=${COMP_WORDS[1]}
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" --help 2>/dev/null |
			sed -n 's/^  \([a-z]\{1,\}\) .*/\1/p') --help" -- "$current")
		return
	fi
	case $previous in
	--json | --markdown | --from | --csv | --binary | --spliced)
		# --json of the loads takes no file.
		if [[ $command == compare || $previous != --json ]]; then
			mapfile -t COMPREPLY < <(compgen -f -- "$current")
			return
		fi
		;;
	--svg)
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		return
		;;
	--direction)
		mapfile -t COMPREPLY < <(compgen -W 'up down both' -- "$current")
		return
		;;
	--arrivals)
		mapfile -t COMPREPLY < <(compgen -W 'even poisson' -- "$current")
		return
		;;
	--how)
		mapfile -t COMPREPLY < <(compgen -W 'naive iosubmit splice uring uring-link uring-sqpoll sockmap thread' \
			-- "$current")
		return
		;;
	--topologies)
		mapfile -t COMPREPLY < <(compgen -W 'loopback veth loopback,veth' -- "$current")
		return
		;;
	--question)
		mapfile -t COMPREPLY < <(compgen -W 'equal-load maximum weaker-maximum knee signals' -- "$current")
		return
		;;
	esac
	# Every flag that the command's own help names.
	mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" "$command" --help 2>/dev/null |
		grep -oE -e '--[a-z][a-z-]*' | sort -u)" -- "$current")
}
complete -F _splicebench splicebench
