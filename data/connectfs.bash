# shellcheck shell=bash
# Completion for connectfs.

# Prints the candidates for the last of the options that -o takes, each with what stands before it.
_connectfs_options()
{
	local before='' last=$1 name
	local names='ttl= ttl_status= ttl_topology= ttl_plugins= ttl_negative= ttl_metrics= stale= settle=
		metrics_interval= metrics_granularity=
		timeout= timeout_write= upload_timeout= max_connections= max_answer= show=
		delete_delay= max_delete= no_delete ro dry_run validate
		credentials= credential_command= secrets= cacert= insecure_http
		uid= gid= umask= allow_other default_permissions fsname='

	if [[ $last == *,* ]]; then
		before=${last%,*},
		last=${last##*,}
	fi
	case $last in
	show=*)
		compgen -P "${before}show=" -W 'tasks offsets metrics template validate' -- "${last#*=}"
		;;
	credentials=* | secrets=* | cacert=*)
		before+=${last%%=*}=
		while IFS= read -r name; do
			[[ -d $name ]] && name+=/
			printf '%s\n' "$before$name"
		done < <(compgen -f -- "${last#*=}")
		;;
	*)
		compgen -P "$before" -W "$names" -- "$last"
		;;
	esac
}

_connectfs()
{
	# shellcheck disable=SC2034 # _init_completion sets them all
	local before='' cur prev words cword
	_init_completion -n '=:' || return
	case $prev in
	-o)
		mapfile -t COMPREPLY < <(_connectfs_options "$cur")
		# readline replaces only what follows the last = or :
		[[ $cur == *[=:]* ]] && before=${cur%"${cur##*[=:]}"}
		COMPREPLY=("${COMPREPLY[@]#"$before"}")
		[[ ${COMPREPLY[0]-} == *[=/] ]] && compopt -o nospace
		;;
	--url | --telemetry-url)
		COMPREPLY=()
		;;
	*)
		if [[ $cur == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W '--demo --url --telemetry-url -o -f --foreground
				-d --debug -V --version -h --help' -- "$cur")
		else
			_filedir -d
		fi
		;;
	esac
} && complete -F _connectfs connectfs
