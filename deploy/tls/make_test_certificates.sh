#!/bin/sh
# Makes a CA and a certificate for trying TLS and for tests; neither is for anything else (docs/tls.md).
#
#   deploy/tls/make_test_certificates.sh FOLDER [NAME…]
#
# FOLDER gets ca.crt and ca.key, tls.crt and tls.key. The certificate is for servers and clients with the names
# localhost, 127.0.0.1, ::1, those of the services in containers, and each NAME. Run again, it keeps the CA and
# renews the certificate. In the environment: DAYS, how long that is valid (30; 0: it expires at once), and OUT,
# how its files are called (tls).
set -eu
umask 077
unset CDPATH # with it cd might find another FOLDER
folder=${1:?usage: make_test_certificates.sh FOLDER [NAME…]}
shift
names="DNS:localhost,IP:127.0.0.1,IP:::1"
for name in gateway web consumer redis influxdb "$@"; do
  case $name in
    *:* | [0-9]*.[0-9]*.[0-9]*.[0-9]*) names="$names,IP:$name" ;;
    *) names="$names,DNS:$name" ;;
  esac
done
out=${OUT:-tls}
mkdir -p -- "$folder"
cd -- "$folder"
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cat >"$work/config" <<CONFIG
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = ${PURPOSE:-serverAuth, clientAuth}
subjectAltName = $names
authorityKeyIdentifier = keyid
CONFIG
new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }
if [ ! -f ca.key ]; then
  new_key ca.key
  openssl req -x509 -new -config "$work/config" -extensions ca -key ca.key -days 3650 \
    -subj "/CN=FizzBuzz test CA" -out ca.crt
fi
new_key "$work/key"
openssl req -new -config "$work/config" -key "$work/key" -subj "/CN=FizzBuzz test" -out "$work/request"
openssl x509 -req -in "$work/request" -CA ca.crt -CAkey ca.key -set_serial "0x$(openssl rand -hex 16)" \
  -days "${DAYS:-30}" -extfile "$work/config" -extensions leaf -out "$work/certificate" 2>/dev/null
mv -- "$work/key" "$out.key"
mv -- "$work/certificate" "$out.crt"
