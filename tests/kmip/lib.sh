# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# shellcheck disable=SC2154  # variables of tests/lib.sh
# What the scenarios with KMIP servers share, after tests/lib.sh.

kmip_folder=$source_folder/tests/kmip
certificates=$work/certificates

# kmip_need: skips where PyKMIP or its Python is not installed.
kmip_need() {
	need openssl
	need_file "PyKMIP (python3-pykmip)" /usr/bin/pykmip-server
	need_build "$p11_kms" "$module"
}

# kmip_certificates: in $certificates, once.
kmip_certificates() {
	[ -d "$certificates" ] || quietly "$kmip_folder/make-certificates" "$certificates"
}

free_port() {
	/usr/bin/python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

port_answers() {
	/usr/bin/python3 -c 'import socket, sys
socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1).close()' "$1" 2>/dev/null
}

# kmip_start NAME stock|double [PORT]: starts a PyKMIP server with the database $work/NAME.db;
# sets $kmip_port and $kmip_pid, and remembers the latter in $work/NAME.pid.
kmip_start() {
	kmip_certificates
	kmip_port=${3:-$(free_port)}
	case $2 in
	stock) kmip_server=/usr/bin/pykmip-server ;;
	double) kmip_server=$kmip_folder/pykmip-double ;;
	esac
	mkdir -p "$work/policies"
	cat >"$work/$1.conf" <<END
[server]
hostname=127.0.0.1
port=$kmip_port
certificate_path=$certificates/server.pem
key_path=$certificates/server.key
ca_path=$certificates/ca.pem
auth_suite=TLS1.2
policy_path=$work/policies
logging_level=DEBUG
database_path=${kmip_database:-$work/$1.db}
END
	"$kmip_server" -f "$work/$1.conf" -l "$work/$1.log" >"$work/$1.out" 2>&1 &
	kmip_pid=$!
	echo "$kmip_pid" >"$work/$1.pid"
	at_end="kmip_stop $1 2>/dev/null; $at_end"
	wait_for 20 port_answers "$kmip_port" || {
		cat "$work/$1.out" >&2
		fail "the KMIP server $1 did not start"
	}
}

# kmip_stop NAME: SIGINT is what PyKMIP ends by; it takes up to 10 s to say goodbye to its clients.
kmip_stop() {
	[ -f "$work/$1.pid" ] || return 0
	kmip_kill=$(cat "$work/$1.pid")
	rm -f "$work/$1.pid"
	kill -INT "$kmip_kill" 2>/dev/null || return 0
	wait_for "${2:-3}" kmip_is_gone "$kmip_kill" || {
		# Its manager process goes with it.
		for child in $(pgrep -P "$kmip_kill" 2>/dev/null); do
			kill -KILL "$child" 2>/dev/null || true
		done
		kill -KILL "$kmip_kill" 2>/dev/null || true
	}
	wait "$kmip_kill" 2>/dev/null || true
}

# kmip_kill_hard NAME: with no time for a goodbye.
kmip_kill_hard() {
	kmip_kill=$(cat "$work/$1.pid")
	rm -f "$work/$1.pid"
	children=$(pgrep -P "$kmip_kill" 2>/dev/null || true)
	# shellcheck disable=SC2086 # words
	kill -KILL "$kmip_kill" $children 2>/dev/null || true
	wait "$kmip_kill" 2>/dev/null || true
}

kmip_is_gone() {
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null
}

# kmip_configuration SERVERS [LINE...]: p11-kms.conf for "HOST:PORT[,…]", in $work/host, with
# what is in further lines; tls- settings that these have replace those of the client.
kmip_configuration() {
	servers=$1
	shift
	mkdir -p "$work/host"
	export P11_KMS_CONFIG="$work/host/p11-kms.conf"
	{
		echo "log = ${kmip_log:-info}"
		echo "[token $token]"
		echo "kms = kmip://$servers"
		echo "registry = $work/host/registry.db"
		echo "authority = $work/host/authority.pem"
		for setting in tls-ca=ca.pem tls-certificate=client.pem tls-key=client.key; do
			key=${setting%%=*}
			for line; do
				case $line in "$key "*) continue 2 ;; esac
			done
			echo "$key = $certificates/${setting#*=}"
		done
		for line; do
			echo "$line"
		done
	} >"$P11_KMS_CONFIG"
}

# scripted_start NAME [OPTION...]: starts tests/kmip/scripted-server, its folder $work/NAME;
# sets $kmip_port. Its keys are gone when it ends.
scripted_start() {
	kmip_certificates
	scripted=$1
	shift
	mkdir -p "$work/$scripted"
	kmip_port=$(free_port)
	"$kmip_folder/scripted-server" --folder "$work/$scripted" --certificates "$certificates" \
		--port "$kmip_port" "$@" >"$work/$scripted.out" 2>&1 &
	kmip_pid=$!
	echo "$kmip_pid" >"$work/$scripted.pid"
	at_end="kmip_stop $scripted 2>/dev/null; $at_end"
	wait_for 20 port_answers "$kmip_port" || {
		cat "$work/$scripted.out" >&2
		fail "the scripted server $scripted did not start"
	}
}

# scripted_fault NAME [FAULT [OPERATION]]: from now on; without FAULT it behaves again.
scripted_fault() {
	if [ $# -eq 1 ]; then
		rm -f "$work/$1/fault"
	else
		echo "$2 ${3:-}" >"$work/$1/fault"
	fi
}
