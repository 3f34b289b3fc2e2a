#!/bin/sh
# Makes the demo's certificates anew, in this folder: ca.pem, hardened.pem, weak.pem.
# `openssl ca` is used throughout because in OpenSSL 3.0 only it can set both dates.
# The authority's own key is thrown away: nobody can issue a second certificate with it.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/ca.cnf" <<CNF
[ca]
default_ca = demo
[demo]
database = $work/index.txt
new_certs_dir = $work
rand_serial = yes
unique_subject = no
policy = any
[any]
commonName = supplied
[authority]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[hardened]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1, IP:::1, DNS:localhost
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[weak]
subjectAltName = DNS:shop.invalid
CNF

# sign NAME SUBJECT DIGEST NOT_BEFORE NOT_AFTER SIGNER_FLAGS…: NAME.key becomes NAME.crt, with the section [NAME]
sign() {
  name=$1 subject=$2 digest=$3 from=$4 until=$5
  shift 5
  : >"$work/index.txt"
  openssl req -new -sha256 -key "$work/$name.key" -subj "/CN=$subject" -out "$work/$name.csr"
  openssl ca -batch -notext -config "$work/ca.cnf" -extensions "$name" -md "$digest" \
    -startdate "$from" -enddate "$until" -in "$work/$name.csr" -out "$work/$name.crt" "$@"
}

# ship NAME WHAT FILE…: the files behind a comment that says what they are (PEM readers skip it)
ship() {
  name=$1 what=$2
  shift 2
  {
    printf '# %s\n# Made by make.sh for the demo on loopback; published on purpose, never a secret.\n' "$what"
    cat "$@"
  } >"$name.pem"
}

curve() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/$1.key"; }

curve authority
curve hardened
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out "$work/weak.key"

sign authority 'kastrun demo authority' sha256 20250101000000Z 20500101000000Z \
  -selfsign -keyfile "$work/authority.key"
sign hardened localhost sha256 20250101000000Z 20500101000000Z \
  -cert "$work/authority.crt" -keyfile "$work/authority.key"
sign weak shop.invalid sha1 20190101000000Z 20200101000000Z \
  -selfsign -keyfile "$work/weak.key"

ship ca 'The authority of the hardened demo site; its key no longer exists.' "$work/authority.crt"
ship hardened 'Key and certificate of the hardened demo site.' "$work/hardened.key" "$work/hardened.crt"
ship weak 'Key and certificate of the weak demo site: every fault is meant.' "$work/weak.key" "$work/weak.crt"
