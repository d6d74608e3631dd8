#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A TLS server whose key never leaves the KMS: openssl s_server, through libp11's engine, with
# the certificate that p11-kms makes; an openssl client and a Python one believe it.
# shellcheck source=tests/lib.sh
. "${srcdir:-.}/tests/lib.sh"

need openssl python3
need_file "libp11's engine" /usr/lib/*/engines-3/pkcs11.so /usr/lib64/engines-3/pkcs11.so \
	/usr/lib/engines-3/pkcs11.so
engine=$found
make_token --no-pin-source
cd "$work"
# shellcheck disable=SC2016 # it is read at the end
at_end='[ -z "${server:-}" ] || kill "$server"'

make_engine_configuration "$engine"

answers() {
	openssl s_client -connect "127.0.0.1:$port" -CAfile "$1.pem" -verify_return_error \
		-verify_hostname localhost </dev/null >client.log 2>&1
}

for algorithm in rsa-2048 p-256; do
	step "a server with a $algorithm key"
	quietly "$p11_kms" create "$algorithm" --algorithm "$algorithm" --usage sign \
		--pin-source "$hsm_folder/pin"
	quietly "$p11_kms" certificate "$algorithm" --subject localhost --dns localhost \
		--ip 127.0.0.1 --out "$algorithm.pem" --pin-source "$hsm_folder/pin"
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	OPENSSL_CONF="$work/openssl.cnf" openssl s_server -accept "127.0.0.1:$port" -www -engine pkcs11 \
		-keyform engine -key "pkcs11:token=$token;object=$algorithm;type=private" \
		-cert "$algorithm.pem" >server.log 2>&1 &
	server=$!
	wait_for 20 answers "$algorithm" || fail "no answer: $(cat server.log client.log)"
	grep -q 'Verify return code: 0 (ok)' client.log || fail "not believed: $(cat client.log)"
	for version in TLSv1_2 TLSv1_3; do
		quietly python3 - "$port" "$algorithm.pem" $version <<'END'
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
context.minimum_version = context.maximum_version = ssl.TLSVersion[sys.argv[3]]
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20) as connection:
    with context.wrap_socket(connection, server_hostname="localhost") as tls:
        tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"200 ok" in tls.recv(1000)
END
	done
	kill "$server"
	wait "$server" 2>/dev/null || :
	server=
done
